"""A hierarchy as people look at it: opened so far as fits, with roll-ups; what two of them have in difference; what a move would do.

One statement reads all edges of a tree on a day; counting and walking happen in memory. Whoever sees some systems only meets, and
counts, their golden records only.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import policy
from mdm.access import Verb
from mdm.db import array, fetch
from mdm.entities import ENTITY_TYPES
from mdm.entity import EntityType
from mdm.errors import NotFound
from mdm.reading import Reader, read_lines
from mdm.relate import Author, relate
from mdm.statements import MAIN_TREE, Assertion
from mdm.trees import When

ROWS = 300
TRAY = 40
DIFFERENCES = 500


@dataclass(frozen=True, slots=True)
class Sums:
    """What lies below a golden record: golden records, and the source records of itself and of them."""

    below: int
    records: int


@dataclass(frozen=True, slots=True)
class Whole:
    """All edges of a tree on a day, both ways, and how many source records each golden record has."""

    entity: EntityType
    when: When
    parents: Mapping[UUID, UUID]
    dates: Mapping[UUID, tuple[date | None, date | None]]
    children: Mapping[UUID, Sequence[UUID]]
    own: Mapping[UUID, int]

    @property
    def roots(self) -> list[UUID]:
        return sorted(each for each in self.children if each not in self.parents)

    def way(self, golden_id: UUID) -> list[UUID]:
        """From the root to a golden record, itself last; a loop that stands for an instant ends it."""
        found = [golden_id]
        while (parent := self.parents.get(found[-1])) is not None and parent not in found:
            found.append(parent)
        return found[::-1]

    def sums(self) -> dict[UUID, Sums]:
        """The roll-up of every golden record of the tree, the deepest first."""
        order: list[UUID] = []
        waiting = list(self.roots)
        while waiting:
            each = waiting.pop()
            order.append(each)
            waiting += self.children.get(each, ())
        found: dict[UUID, Sums] = {}
        for each in reversed(order):
            below = [found[child] for child in self.children.get(each, ())]
            found[each] = Sums(len(below) + sum(s.below for s in below), self.own.get(each, 0) + sum(s.records for s in below))
        return found


@dataclass(frozen=True, slots=True)
class Row:
    """One golden record of the opened tree; `is_open`: its children follow."""

    golden_id: UUID
    depth: int
    display: str
    children: int
    sums: Sums
    is_open: bool
    valid_from: date | None
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class Opened:
    """A tree, opened from some golden record (None: from its roots) as far as fits; `way`: how one gets there."""

    entity: EntityType
    rows: Sequence[Row]
    nodes: int
    way: Sequence[tuple[UUID, str]]
    tray: Sequence[tuple[UUID, str]]
    outside: int


@dataclass(frozen=True, slots=True)
class Moved:
    """A golden record whose place is another one."""

    golden_id: UUID
    display: str
    change: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Rolled:
    """One golden record on either way up, before and after a move."""

    golden_id: UUID
    display: str
    before: Sums
    after: Sums


@dataclass(frozen=True, slots=True)
class Preview:
    """What a move would do on its day: how many go along, both ways up, and what they would hold."""

    along: int
    way_before: Sequence[str]
    way_after: Sequence[str]
    rolled: Sequence[Rolled]


def named(reader: Reader, name: str) -> tuple[EntityType, str]:
    """The domain of a tree `domain:tree`, and the tree's own name. Raises NotFound also where the domain is closed to the reader."""
    domain, _, tree = name.partition(":")
    entity = ENTITY_TYPES.get(domain)
    if entity is None or entity.hierarchy is None or not policy.can(reader.actor, Verb.READ, domain):
        raise NotFound("there is no such hierarchy")
    return entity, tree or MAIN_TREE


def whole(session: Session, reader: Reader, name: str, as_of: date) -> Whole:
    """All of a tree on a day."""
    entity, tree = named(reader, name)
    rule = entity.hierarchy.name if entity.hierarchy else ""
    rows = fetch(
        session,
        "select r.subject_id, r.target_id, r.valid_from, r.valid_to from relationship r where r.domain = %(domain)s and r.type = %(type)s"
        " and r.tree = %(tree)s and r.recorded_to is null and not r.looped and (r.valid_from is null or r.valid_from <= %(day)s)"
        " and (r.valid_to is null or r.valid_to >= %(day)s) order by r.subject_id",
        {"domain": entity.name, "type": rule, "tree": tree, "day": as_of},
    )
    everybody = {each for row in rows for each in row[:2]}
    seen = policy.visible(session, reader.actor, everybody)
    kept = [row for row in rows if row[0] in seen and row[1] in seen]
    children: dict[UUID, list[UUID]] = {}
    for row in kept:
        children.setdefault(row[1], []).append(row[0])
    counted = fetch(
        session,
        "select golden_id, count(*) from link where golden_id = any(%s::uuid[]) and recorded_to is null group by golden_id",
        (array(seen),),
    )
    return Whole(
        entity,
        When(as_of, tree=tree),
        {row[0]: row[1] for row in kept},
        {row[0]: (row[2], row[3]) for row in kept},
        children,
        {row[0]: row[1] for row in counted},
    )


def opened(session: Session, reader: Reader, name: str, as_of: date, at: UUID | None) -> Opened:
    """The tree from a golden record downwards, level by level as far as fits."""
    found = whole(session, reader, name, as_of)
    if at is not None and at not in found.children and at not in found.parents:
        raise NotFound("this record has no place in the tree on that day")
    start = found.roots if at is None else [at]
    shown = _unfolded(found, start)
    outside, rest = _outside(session, reader, found) if at is None else ([], 0)
    way = [] if at is None else found.way(at)[:-1]
    order = list(_in_order(found, start, shown))
    lines = _lines(session, reader, found.entity, [*(each for each, _ in order), *way, *outside])
    sums = found.sums()
    rows = [
        Row(
            each,
            depth,
            lines.get(each, ""),
            len(found.children.get(each, ())),
            sums.get(each, Sums(0, 0)),
            each in shown and each in found.children,
            *found.dates.get(each, (None, None)),
        )
        for each, depth in order
    ]
    tray = [(each, lines.get(each, "")) for each in outside]
    return Opened(found.entity, rows, len({*found.parents, *found.children}), [(each, lines.get(each, "")) for each in way], tray, rest)


def _unfolded(found: Whole, start: Sequence[UUID]) -> set[UUID]:
    """Whose children are shown: whole levels from above, while all rows together stay within what a page holds."""
    shown: set[UUID] = set()
    level, rows = list(start), len(start)
    while level:
        following: list[UUID] = []
        for each in level:
            children = found.children.get(each, ())
            if children and rows + len(children) <= ROWS:
                shown.add(each)
                rows += len(children)
                following += children
        level = following
    return shown


def _in_order(found: Whole, start: Sequence[UUID], shown: set[UUID]) -> Iterable[tuple[UUID, int]]:
    waiting = [(each, 1) for each in reversed(start)]
    while waiting:
        each, depth = waiting.pop()
        yield each, depth
        if each in shown:
            waiting += [(child, depth + 1) for child in reversed(found.children[each])]


def _outside(session: Session, reader: Reader, found: Whole) -> tuple[list[UUID], int]:
    """Active golden records of the domain that have no place in the tree: the first of them, and how many there are."""
    rows = fetch(
        session,
        "select g.id, count(*) over () from golden_record g where g.domain = %(domain)s and g.status = 'active'"
        " and not exists (select 1 from unnest(%(placed)s::uuid[]) p(id) where p.id = g.id) and (%(systems)s::text[] is null"
        " or exists (select 1 from link l join source_record r on r.id = l.record_id"
        " where l.golden_id = g.id and l.recorded_to is null and r.system = any(%(systems)s::text[]))) order by g.id limit %(most)s",
        {
            "domain": found.entity.name,
            "placed": array(list({*found.parents, *found.children})),
            "systems": None if reader.actor.systems is None else sorted(reader.actor.systems),
            "most": TRAY,
        },
    )
    return [row[0] for row in rows], rows[0][1] if rows else 0


def _lines(session: Session, reader: Reader, entity: EntityType, goldens: Sequence[UUID]) -> dict[UUID, str]:
    return {asked: hit.display for asked, hit in read_lines(session, entity, reader, list(dict.fromkeys(goldens))).items()}


def difference(session: Session, reader: Reader, one: tuple[str, date], other: tuple[str, date]) -> list[Moved]:
    """Whose place differs between two days, or two trees of one domain: added, removed or moved."""
    before, after = whole(session, reader, *one), whole(session, reader, *other)
    if before.entity is not after.entity:
        raise NotFound("two trees of one domain can be compared")
    places = [
        (each, before.parents.get(each), after.parents.get(each))
        for each in sorted({*before.parents, *after.parents})
        if before.parents.get(each) != after.parents.get(each)
    ][:DIFFERENCES]
    lines = _lines(session, reader, before.entity, [each for place in places for each in place if each is not None])
    return [
        Moved(each, lines.get(each, ""), _change(was, now), lines.get(was) if was else None, lines.get(now) if now else None)
        for each, was, now in places
    ]


def _change(before: UUID | None, after: UUID | None) -> str:
    return "added" if before is None else "removed" if after is None else "moved"


def move(session: Session, author: Author, name: str, golden_id: UUID, to: UUID, since: date) -> None:
    """Say that a golden record stands below another one from a day on. What was before stays as it was."""
    entity, tree = named(Reader(author.actor, author.request_id), name)
    rule = entity.hierarchy.name if entity.hierarchy else ""
    relate(session, entity, golden_id, author, Assertion(rule, None, None, to, tree, since, None))


def preview(session: Session, author: Author, name: str, golden_id: UUID, to: UUID, since: date) -> Preview:
    """What that move would do. Moves for the rest of the transaction: rehearse it."""
    reader = Reader(author.actor, author.request_id)
    before = whole(session, reader, name, since)
    move(session, author, name, golden_id, to, since)
    after = whole(session, reader, name, since)
    ways = [tree.way(golden_id)[:-1] for tree in (before, after)]
    touched = list(dict.fromkeys([*ways[0], *ways[1]]))
    lines = _lines(session, reader, before.entity, touched)
    was, now = before.sums(), after.sums()
    nothing = Sums(0, 0)
    rolled = [Rolled(each, lines.get(each, ""), was.get(each, nothing), now.get(each, nothing)) for each in touched]
    told = [[lines.get(each, "") for each in way] for way in ways]
    return Preview(now.get(golden_id, nothing).below, told[0], told[1], [each for each in rolled if each.before != each.after])
