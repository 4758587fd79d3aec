"""Hierarchies, as of a day and as known at a moment: which there are, what is below, the way up, and what two days have in difference.

A tree is named by its domain and its own name: `cost_center:main`. Whoever sees some systems only meets their golden records only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import chain
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit, policy
from mdm.access import Verb
from mdm.db import fetch
from mdm.entities import ENTITY_TYPES
from mdm.entity import EntityType, RelationshipRule
from mdm.errors import NotFound
from mdm.golden import displays, locate_at
from mdm.reading import Reader
from mdm.statements import MAIN_TREE


@dataclass(frozen=True, slots=True)
class When:
    """A tree on a day in the world, as known at a moment of ours (None: now)."""

    as_of: date
    known_at: datetime | None = None
    tree: str = MAIN_TREE


@dataclass(frozen=True, slots=True)
class TreeView:
    """A tree that there is, and how many golden records have a parent in it on the day."""

    id: str
    domain: str
    type: str
    tree: str
    nodes: int


class Family(NamedTuple):
    """The children of one golden record of a subtree; `depth` is theirs."""

    parent: str
    depth: int
    children: Sequence[str]


@dataclass(frozen=True, slots=True)
class Subtree:
    """A golden record and the families below it, parents before their children."""

    root: UUID
    families: Sequence[Family]


@dataclass(frozen=True, slots=True)
class Step:
    """One golden record on the way up; the dates are those of its edge to the next one."""

    golden_id: UUID
    depth: int
    display: str | None
    valid_from: date | None
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class Placed:
    """A golden record and its parent."""

    golden_id: UUID
    parent_id: UUID
    display: str | None
    valid_from: date | None
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class Difference:
    """A golden record whose place is another one: added, removed or moved."""

    golden_id: UUID
    change: str
    from_parent: UUID | None
    to_parent: UUID | None
    display: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, in order of golden id."""

    items: Sequence[Placed] | Sequence[Difference]
    next: UUID | None


@dataclass(frozen=True, slots=True)
class Window:
    """After which golden id, and how many."""

    limit: int
    cursor: UUID | None


# The trees of now are read from their index alone; what was known at a moment from the history beside it.
_NOW: LiteralString = " and r.recorded_to is null and not r.looped"
_THEN: LiteralString = " and r.recorded_from <= %(known)s and (r.recorded_to is null or r.recorded_to > %(known)s) and not r.looped"
_ON: LiteralString = " and (r.valid_from is null or r.valid_from <= %(day)s) and (r.valid_to is null or r.valid_to >= %(day)s)"
_OF: LiteralString = " r.domain = %(domain)s and r.type = %(type)s and r.tree = %(tree)s"


_LONGEST_WAY = 1000


def _recorded(when: When) -> LiteralString:
    return _NOW if when.known_at is None else _THEN


def list_trees(session: Session, reader: Reader, when: When) -> list[TreeView]:
    """Every tree of the domains that the reader may read."""
    rules = [(e.name, e.hierarchy.name) for e in ENTITY_TYPES.values() if e.hierarchy and policy.can(reader.actor, Verb.READ, e.name)]
    rows = fetch(
        session,
        "select r.domain, r.type, r.tree, count(*) from unnest(%(domains)s::text[], %(types)s::text[]) h(domain, type) join relationship r"
        " on r.domain = h.domain and r.type = h.type"
        + _recorded(when)
        + _ON
        + " group by r.domain, r.type, r.tree order by r.domain, r.tree",
        {"domains": [d for d, _ in rules], "types": [t for _, t in rules], "day": when.as_of, "known": when.known_at},
    )
    return [TreeView(f"{domain}:{tree}", domain, name, tree, nodes) for domain, name, tree, nodes in rows]


def subtree(session: Session, entity: EntityType, reader: Reader, golden_id: UUID, when: When, depth: int | None) -> Subtree:
    """All below a golden record, down to `depth` steps (None: to the leaves).

    What few are below is reached step by step, in one statement; for more, the whole tree is read: 20,000 golden records by index cost a
    third of what stepping from each to its children does.
    """
    root = _located(session, entity, reader, golden_id, when)
    below = _few_below(session, entity, when, root, depth)
    children = _visible_only(session, reader, _children(session, entity, when) if below is None else below)
    found: list[Family] = []
    level = [str(root)] if str(root) in children else []
    # No way down is longer than there are parents; in history a loop may stand for the instant before it was marked.
    for step in range(1, min(depth or len(children), len(children)) + 1):
        families = [Family(parent, step, children[parent]) for parent in level]
        found += families
        level = list(filter(children.__contains__, chain.from_iterable([family.children for family in families])))
        if not level:
            break
    return Subtree(root, found)


_FEW = 100  # golden records that are reached step by step


def _few_below(session: Session, entity: EntityType, when: When, root: UUID, depth: int | None) -> dict[str, list[str]] | None:
    """Parent -> children of what is below, None where it is many (or a loop of the past never ends)."""
    edge: LiteralString = " from relationship r where" + _OF + _recorded(when) + _ON + " and r.target_id = "
    rows = fetch(
        session,
        "with recursive below(parent, child, depth) as (select r.target_id, r.subject_id, 1"
        + edge
        + "%(root)s union all select e.* from below b cross join lateral (select r.target_id, r.subject_id, b.depth + 1"
        + edge
        + "b.child) e where %(depth)s::int is null or b.depth < %(depth)s::int)"
        " select parent::text, child::text from below limit %(limit)s",
        {**_about(entity, when), "root": root, "depth": depth, "limit": _FEW + 1},
    )
    if len(rows) > _FEW:
        return None
    found: dict[str, set[str]] = {}  # in a loop of the past a child is met again and again, down to the depth that was asked for
    for parent, child in rows:
        found.setdefault(parent, set()).add(child)
    return {parent: sorted(children) for parent, children in found.items()}


def _children(session: Session, entity: EntityType, when: When) -> dict[str, list[str]]:
    """Parent -> children, of the whole tree."""
    rows = fetch(
        session,
        "select r.target_id::text, string_agg(r.subject_id::text, ',' order by r.subject_id) from relationship r where"
        + _OF
        + _recorded(when)
        + _ON
        + " group by r.target_id",
        _about(entity, when),
    )
    return {parent: below.split(",") for parent, below in rows}


def _visible_only(session: Session, reader: Reader, children: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    if reader.actor.systems is None:
        return children
    seen = {str(each) for each in policy.visible(session, reader.actor, [UUID(c) for below in children.values() for c in below])}
    cut = {parent: [child for child in below if child in seen] for parent, below in children.items()}
    return {parent: below for parent, below in cut.items() if below}


def path(session: Session, entity: EntityType, reader: Reader, golden_id: UUID, when: When) -> list[Step]:
    """The way from a golden record to the root of its tree, itself first."""
    start = _located(session, entity, reader, golden_id, when)
    edge = " from relationship r where" + _OF + _recorded(when) + _ON + " and r.subject_id = "
    rows = fetch(
        session,
        "with recursive up(parent, valid_from, valid_to, depth) as (select r.target_id, r.valid_from, r.valid_to, 0"
        + edge
        + "%(start)s union all select e.* from up cross join lateral (select r.target_id, r.valid_from, r.valid_to, up.depth + 1"
        + edge
        + "up.parent) e where up.depth < %(longest)s) select parent, valid_from, valid_to from up order by depth",
        {**_about(entity, when), "start": start, "longest": _LONGEST_WAY},
    )
    way = [start, *(row[0] for row in rows)]
    dates = [*(row[1:] for row in rows), (None, None)]
    names, seen = _known(session, entity, reader, way)
    return [Step(each, depth, names.get(each), *dates[depth]) for depth, each in enumerate(way) if each in seen]


def page(session: Session, reader: Reader, name: str, when: When, window: Window) -> Page:
    """The golden records that have a parent in a tree, with it."""
    entity, when = _tree(reader, name, when)
    rows = fetch(
        session,
        "select r.subject_id, r.target_id, r.valid_from, r.valid_to from relationship r where"
        + _OF
        + _recorded(when)
        + _ON
        + " and (%(after)s::uuid is null or r.subject_id > %(after)s::uuid) order by r.subject_id limit %(limit)s",
        {**_about(entity, when), "after": window.cursor, "limit": window.limit + 1},
    )
    kept = rows[: window.limit]
    names, seen = _known(session, entity, reader, [each for row in kept for each in row[:2]])
    items = [Placed(row[0], row[1], names.get(row[0]), row[2], row[3]) for row in kept if {row[0], row[1]} <= seen]
    return Page(items, kept[-1][0] if len(rows) > window.limit else None)


def difference(session: Session, reader: Reader, name: str, when: When, to: date, window: Window) -> Page:
    """The golden records whose place in a tree is not the same on two days: on that of `when`, and on `to`."""
    entity, when = _tree(reader, name, when)
    rows = fetch(
        session,
        "select coalesce(a.subject_id, b.subject_id), a.target_id, b.target_id from"
        " (select r.subject_id, r.target_id from relationship r where" + _OF + _recorded(when) + _ON + ") a"
        " full join (select r.subject_id, r.target_id from relationship r where"
        + _OF
        + _recorded(when)
        + " and (r.valid_from is null or r.valid_from <= %(to)s) and (r.valid_to is null or r.valid_to >= %(to)s)) b using (subject_id)"
        " where a.target_id is distinct from b.target_id"
        " and (%(after)s::uuid is null or coalesce(a.subject_id, b.subject_id) > %(after)s::uuid) order by 1 limit %(limit)s",
        {**_about(entity, when), "to": to, "after": window.cursor, "limit": window.limit + 1},
    )
    kept = rows[: window.limit]
    names, seen = _known(session, entity, reader, [each for row in kept for each in row if each is not None])
    items = [Difference(g, _change(a, b), a, b, names.get(g)) for g, a, b in kept if {g, a or g, b or g} <= seen]
    return Page(items, kept[-1][0] if len(rows) > window.limit else None)


def _change(before: UUID | None, after: UUID | None) -> str:
    return "added" if before is None else "removed" if after is None else "moved"


def _known(session: Session, entity: EntityType, reader: Reader, goldens: Sequence[UUID]) -> tuple[Mapping[UUID, str], frozenset[UUID]]:
    return displays(session, entity, list(set(goldens))), policy.visible(session, reader.actor, set(goldens))


def _tree(reader: Reader, name: str, when: When) -> tuple[EntityType, When]:
    """The domain of a tree of this name, and what to read of it; raises NotFound for a domain that has none, or is closed to the reader."""
    domain, _, tree = name.partition(":")
    entity = ENTITY_TYPES.get(domain)
    if entity is None or entity.hierarchy is None or not policy.can(reader.actor, Verb.READ, domain):
        raise NotFound("there is no such hierarchy")
    return entity, replace(when, tree=tree or MAIN_TREE)


def _about(entity: EntityType, when: When) -> dict[str, Any]:
    return {"domain": entity.name, "type": hierarchy_of(entity).name, "tree": when.tree, "day": when.as_of, "known": when.known_at}


def hierarchy_of(entity: EntityType) -> RelationshipRule:
    if entity.hierarchy is None:
        raise NotFound("this domain has no hierarchy")
    return entity.hierarchy


def _located(session: Session, entity: EntityType, reader: Reader, golden_id: UUID, when: When) -> UUID:
    """The golden record that is meant, then or now, if it exists for the reader; of a patient the reading is audited."""
    policy.check(reader.actor, Verb.READ, entity.name)
    found, _ = locate_at(session, entity, golden_id, when.known_at)
    policy.check_visible(session, reader.actor, [found])
    if entity.phi:
        audit.record(session, reader.actor, "hierarchy:read", domain=entity.name, subjects=[found], request_id=reader.request_id)
    return found
