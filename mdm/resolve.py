"""From a change to settled identity: component -> clusters -> golden records -> derived data -> review tasks.

The partition is a function of the component's edges and decisions alone. The machine joins; where it would part what is published it opens
a task with the cut, so that the present partition differs from the function's only by open proposals.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from matching.cluster import Clustering, Pair, cluster, connected, limits_of, pair, parts
from matching.score import Scorer
from mdm.db import array, execute, fetch, write
from mdm.decide import Cut, Group, groups_and_cuts
from mdm.derive import derive
from mdm.entity import EntityType
from mdm.errors import Busy
from mdm.feed import Happening
from mdm.ids import new_golden_id
from mdm.jsonio import dumps
from mdm.loops import Loop
from mdm.members import COMPONENT_MAX, Member, StoredEdge, company, edges_at, hold, homes
from mdm.relationships import derive_relationships
from mdm.reviews import KINDS, Outlook, refresh_new, refresh_reviews
from mdm.systems import SystemRegistry

_LOCK_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Change:
    """Records that were written, and why they are linked from here on."""

    records: frozenset[UUID]
    new: tuple[Member, ...] = ()  # the new ones: nobody else can know them yet
    alone: frozenset[UUID] = frozenset()  # of these the ones without any edge: nothing can join them
    decision_id: UUID | None = None  # of whoever caused it, if a person did
    # Where a person puts records, before the evidence is asked what joins them: a golden record, or None, as if newly delivered
    placed: Mapping[UUID, UUID | None] = field(default_factory=dict)
    only_weighed: bool = False  # the records are as they were, another model has weighed them
    beside: frozenset[UUID] = frozenset()  # records that stand as they are, but whose company may have depended on what changed
    judged: frozenset[tuple[UUID, UUID]] = frozenset()  # pairs that the decision speaks of, which is not written down yet
    revokes: UUID | None = None  # the decision that is taken back, which is not written down yet either


@dataclass(frozen=True, slots=True)
class Move:
    """A record that went from one golden record to another."""

    record_id: UUID
    left: UUID
    joined: UUID


@dataclass(slots=True)
class Settled:
    """What became of the records: their golden ids, what happened, the open task of each, if any, and loops of relationships met.

    `goldens`, `edges`: whom the golden records of the component hold now, and every edge at these records.
    """

    golden_of: dict[UUID, UUID] = field(default_factory=dict)
    tasks: dict[UUID, UUID] = field(default_factory=dict)
    happenings: list[Happening] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)
    goldens: Mapping[UUID, Sequence[Member]] = field(default_factory=dict)
    edges: Sequence[StoredEdge] = ()


def settle(session: Session, entity: EntityType, scorer: Scorer, registry: SystemRegistry, change: Change) -> Settled:
    """Derive everything that the change touches. The caller holds the blocking locks and publishes the happenings last."""
    found = _component(session, scorer, change)
    groups, cuts = partition(scorer, found.members, found.edges, change.placed)
    return _apply(session, entity, registry, scorer, _Plan(found, groups, cuts, change))


@dataclass(frozen=True, slots=True)
class _Found:
    """The component: its records, every edge at these, and the golden records at the other ends."""

    members: Mapping[UUID, Member]
    edges: Sequence[StoredEdge] = ()
    near: frozenset[UUID] = frozenset()


def _component(session: Session, scorer: Scorer, change: Change) -> "_Found":
    """The touched component, its golden records and those beside it locked in order; read again until nothing was added while waiting."""
    new = {member.id: member for member in change.new}
    alone = {record: new[record] for record in change.alone}
    linked = sorted((change.records | change.beside) - change.alone)
    if not linked:
        return _Found(alone)
    placed = {home for home in change.placed.values() if home is not None}
    link = scorer.model.thresholds.link
    locked = set(placed)  # one that is not there yet, nobody else can have
    for _ in range(_LOCK_ROUNDS):
        start = [*linked, *_inhabitants(session, placed)]
        held = hold(session, start, link, placed, KINDS)
        locked |= held.goldens
        asked = held.records.union(start)
        there = {**company(session, asked - new.keys()), **{record: new[record] for record in asked & new.keys()}}
        edges = edges_at(session, there)
        members = _reached(start, there, edges, link)
        if members is None:
            continue
        edges = [e for e in edges if e.low in members or e.high in members]
        beside = {record for e in edges for record in (e.low, e.high)} - members.keys()
        near = set(homes(session, beside)) if beside else set()
        if near | {m.golden_id for m in members.values() if m.golden_id is not None} <= locked:
            return _Found({**members, **alone}, edges, frozenset(near))
    raise Busy


def _reached(start: Iterable[UUID], there: Mapping[UUID, Member], edges: Iterable[StoredEdge], link: float) -> Mapping[UUID, Member] | None:
    """Of the records that are there, those of the component of `start`, as `mdm.members.component` finds them; None when it goes beyond."""
    joining = [(e.low, e.high) for e in edges if e.weight >= link or e.verdict == "same"]
    if any(low not in there or high not in there for low, high in joining):
        return None
    firsts: dict[UUID, UUID] = {}
    joining += [(firsts.setdefault(m.golden_id, m.id), m.id) for m in there.values() if m.golden_id is not None]
    reached = connected(joining, start)
    return {record: member for record, member in there.items() if record in reached}


def _inhabitants(session: Session, homes: Collection[UUID]) -> list[UUID]:
    """Whoever is where somebody is to be put belongs to the question, whether evidence joins them or not."""
    if not homes:
        return []
    rows = fetch(session, "select record_id from link where golden_id = any(%s) and recorded_to is null", (array(homes),))
    return [row[0] for row in rows]


def partition(
    scorer: Scorer, members: Mapping[UUID, Member], edges: Sequence[StoredEdge], placed: Mapping[UUID, UUID | None]
) -> tuple[list[Group], list[Cut]]:
    """Who shares a golden record, by evidence and decisions, given where everybody is; and the cuts to propose."""
    names = {m.id: m.name for m in members.values()}
    by_name = {m.name: m for m in members.values()}
    inside = [e for e in edges if e.low in names and e.high in names]
    homes = {m.name: home for m in members.values() if (home := placed.get(m.id, m.golden_id)) is not None}
    groups: list[Group] = []
    cuts: list[Cut] = []
    for part, within in _parts(by_name, inside, names, homes):
        clustering = cluster_part(scorer, part, by_name, within)
        together = [pair(names[e.low], names[e.high]) for e in within if e.verdict == "same"]
        found, torn = groups_and_cuts(clustering, {name: homes[name] for name in part if name in homes}, together)
        groups += found
        cuts += torn
    return _as_now(groups, cuts, members.values()) if placed else (groups, cuts)


def _as_now(groups: Sequence[Group], cuts: Sequence[Cut], members: Iterable[Member]) -> tuple[list[Group], list[Cut]]:
    """Who is together as before keeps the id of before, wherever somebody was put meanwhile; whoever was put there needs another."""
    homes: dict[UUID, set[str]] = {}
    for member in members:
        if member.golden_id is not None:
            homes.setdefault(member.golden_id, set()).add(member.name)
    known = {frozenset(names): golden for golden, names in homes.items()}
    taken = {known[group.members] for group in groups if group.members in known}
    kept = [
        replace(group, keeps=known.get(group.members) or (new_golden_id() if group.keeps in taken else group.keeps)) for group in groups
    ]
    now = {group.keeps: as_before.keeps for group, as_before in zip(groups, kept, strict=True)}
    return kept, [replace(cut, golden_id=now[cut.golden_id] or cut.golden_id) for cut in cuts]


def _parts(
    by_name: Mapping[str, Member], inside: Sequence[StoredEdge], names: Mapping[UUID, str], homes: Mapping[str, UUID]
) -> Iterable[tuple[list[str], list[StoredEdge]]]:
    """Connected parts by any edge or a shared golden record, each with its edges."""
    joins = [pair(names[e.low], names[e.high]) for e in inside]
    firsts: dict[UUID, str] = {}
    joins += [(firsts.setdefault(home, name), name) for name, home in homes.items()]
    found = parts(sorted(by_name), joins)
    place = {name: number for number, part in enumerate(found) for name in part}
    within: list[list[StoredEdge]] = [[] for _ in found]
    for edge in inside:
        within[place[names[edge.low]]].append(edge)
    return zip(found, within, strict=True)


def cluster_part(scorer: Scorer, part: Sequence[str], by_name: Mapping[str, Member], edges: Sequence[StoredEdge]) -> Clustering:
    """The clusters of one connected part, every pair of it scored, also those that blocking never met. `edges`: all within it."""
    if len(part) == 1:
        return Clustering((frozenset(part),), ())
    if len(part) > COMPONENT_MAX:
        return Clustering(tuple(frozenset({name}) for name in part), ())
    names = {by_name[name].id: name for name in part}
    weights: dict[Pair, float] = {}
    together: set[Pair] = set()
    apart: set[Pair] = set()
    for edge in edges:
        p = pair(names[edge.low], names[edge.high])
        weights[p] = edge.weight
        if edge.verdict == "same":
            together.add(p)
        elif edge.verdict == "different" or edge.vetoes:
            apart.add(p)
    _score_the_rest(scorer, part, by_name, weights, apart)
    return cluster(part, weights, together=frozenset(together), apart=frozenset(apart), limits=limits_of(scorer.model))


def _score_the_rest(
    scorer: Scorer, names: Sequence[str], by_name: Mapping[str, Member], weights: dict[Pair, float], apart: set[Pair]
) -> None:
    for a, b in combinations(names, 2):
        if (a, b) not in weights:
            total = scorer.total(by_name[a].columns, by_name[b].columns)
            weights[a, b] = total.weight
            if total.vetoes:
                apart.add((a, b))


@dataclass(frozen=True, slots=True)
class _Plan:
    found: _Found
    groups: Sequence[Group]
    cuts: Sequence[Cut]
    change: Change


def _apply(session: Session, entity: EntityType, registry: SystemRegistry, scorer: Scorer, plan: _Plan) -> Settled:
    by_name = {m.name: m for m in plan.found.members.values()}
    goldens: dict[UUID, list[Member]] = {}
    new: set[UUID] = set()
    for group in plan.groups:
        golden_id = group.keeps
        if golden_id is None:
            golden_id = new_golden_id()
            new.add(golden_id)
        goldens[golden_id] = [by_name[name] for name in sorted(group.members)]
    change, before = plan.change, {m.golden_id for m in plan.found.members.values() if m.golden_id is not None}
    settled = Settled({m.id: g for g, members in goldens.items() for m in members}, goldens=goldens, edges=plan.found.edges)
    settled.moves = [Move(m.id, m.golden_id, g) for g, found in goldens.items() for m in found if m.golden_id not in {None, g}]
    moved = {g: members for g, members in goldens.items() if any(m.golden_id != g or m.id in change.records for m in members)}
    revived = _known_ids(session, goldens.keys() - before - new)
    new |= goldens.keys() - before - revived
    settled.happenings += revive(session, sorted(revived))
    _move_links(session, entity, moved, new, change.decision_id)
    merged = _heirs(session, before - goldens.keys(), settled.moves) + _unused(session, change.placed, before, settled.golden_of)
    settled.happenings += _merge_goldens(session, merged, change.decision_id)
    settled.happenings += derive(session, entity, registry, moved, new=frozenset(new))
    settled.loops = derive_relationships(session, entity, registry, moved, merged)
    if plan.found.edges or plan.cuts or before:
        heirless = [old for old, _ in merged]
        outlook = Outlook(
            goldens, plan.found.edges, plan.cuts, heirless, plan.found.near, change.only_weighed, change.judged, change.revokes
        )
        settled.tasks = refresh_reviews(session, entity, scorer, outlook)
    else:
        refresh_new(session, entity, goldens)
    return settled


def _move_links(
    session: Session, entity: EntityType, goldens: Mapping[UUID, Sequence[Member]], new: set[UUID], decision_id: UUID | None
) -> None:
    """Records go to their golden records, the new ones of which are made here."""
    moving = [(m, g) for g, members in goldens.items() for m in members if m.golden_id != g]
    leaving = [m.id for m, _ in moving if m.golden_id is not None]
    if leaving:
        execute(
            session,
            "update link set recorded_to = clock_timestamp() where record_id = any(%s) and recorded_to is null",
            (array(leaving),),
        )
    if moving:
        if new:
            write(
                session,
                "insert into golden_record (id, domain, status) select id, %s, 'active' from unnest(%s::uuid[]) id",
                (entity.name, array(sorted(new))),
            )
        joined = "edge" if decision_id is None else "decision"
        rows = [{"r": m.id, "g": g, "c": "new" if g in new and m.golden_id is None and len(goldens[g]) == 1 else joined} for m, g in moving]
        write(
            session,
            "insert into link (record_id, golden_id, cause, decision_id, recorded_from) select r, g, c, %s, statement_timestamp()"
            " from jsonb_to_recordset(%s::jsonb) as x(r uuid, g uuid, c text)",
            (decision_id, dumps(rows).decode()),
        )


def _known_ids(session: Session, placed: Collection[UUID]) -> set[UUID]:
    """Those golden ids that were given out before, and so come back; the others are new."""
    return {row[0] for row in fetch(session, "select id from golden_record where id = any(%s)", (array(placed),))} if placed else set()


def _heirs(session: Session, emptied: Collection[UUID], moves: Sequence[Move]) -> list[tuple[UUID, UUID]]:
    """Golden records that have no records any more, each with the one that answers in its place: where the record went that founded it."""
    went: dict[UUID, dict[UUID, UUID]] = {}
    for move in moves:
        went.setdefault(move.left, {})[move.record_id] = move.joined
    found = {golden: next(iter(set(to.values()))) for golden, to in went.items() if golden in emptied and len(set(to.values())) == 1}
    scattered = [golden for golden in emptied if golden not in found]
    for golden, record in founders(session, scattered, [r for g in scattered for r in went[g]]).items():
        found[golden] = went[golden][record]
    return sorted(found.items())


def _unused(
    session: Session, placed: Mapping[UUID, UUID | None], before: Collection[UUID], golden_of: Mapping[UUID, UUID]
) -> list[tuple[UUID, UUID]]:
    """Merged ids that would have come back, had evidence not taken their records elsewhere at once: they answer with where these are."""
    went = {home: golden_of[record] for record, home in sorted(placed.items()) if home is not None}
    gone = {home: golden for home, golden in went.items() if home not in before and home not in set(golden_of.values())}
    rows = fetch(session, "select id, merged_into from golden_record where id = any(%s)", (array(gone),)) if gone else []
    turned = sorted((row[0], gone[row[0]]) for row in rows if row[1] != gone[row[0]])
    revive(session, [golden for golden, _ in turned])
    return turned


def founders(session: Session, goldens: Sequence[UUID], records: Sequence[UUID]) -> dict[UUID, UUID]:
    """Of some golden records, which of these records each was made for: the first that ever was in it."""
    if not goldens:
        return {}
    rows = fetch(
        session,
        "select distinct on (golden_id) golden_id, record_id from link where golden_id = any(%s) and record_id = any(%s)"
        " order by golden_id, id",
        (array(goldens), array(records)),
    )
    return dict(rows)


def _merge_goldens(session: Session, merged: Sequence[tuple[UUID, UUID]], decision_id: UUID | None) -> list[Happening]:
    """The merged ids answer with their survivor for ever; those that already pointed at them are turned, so that one hop suffices."""
    if not merged:
        return []
    olds, survivors = [old for old, _ in merged], [survivor for _, survivor in merged]
    execute(
        session,
        "update golden_record g set status = 'merged', merged_into = m.survivor, updated_at = now()"
        " from unnest(%s::uuid[], %s::uuid[]) m(old, survivor) where g.id = m.old or g.merged_into = m.old",
        (olds, survivors),
    )
    execute(
        session,
        "insert into golden_redirect (golden_id, survivor, decision_id) select m.old, m.survivor, %s"
        " from unnest(%s::uuid[], %s::uuid[]) m(old, survivor)",
        (decision_id, olds, survivors),
    )
    execute(session, "update golden_version set recorded_to = clock_timestamp() where golden_id = any(%s) and recorded_to is null", (olds,))
    execute(
        session,
        "update xref set recorded_to = clock_timestamp(), exclusive = false where golden_id = any(%s) and recorded_to is null",
        (olds,),
    )
    return [Happening("golden.merged", old, {"into": str(survivor)}) for old, survivor in merged]


def redirect(session: Session, turned: Sequence[tuple[UUID, UUID]], decision_id: UUID) -> list[Happening]:
    """Merged ids answer with another survivor from now on."""
    revive(session, [golden for golden, _ in turned])
    return _merge_goldens(session, turned, decision_id)


def revive(session: Session, goldens: Sequence[UUID]) -> list[Happening]:
    """Merged ids that have records again answer for themselves, and so do, through them, those that were merged into them before."""
    if not goldens:
        return []
    execute(session, _REVIVE, {"revived": array(goldens)})
    return [Happening("golden.restored", golden, {}) for golden in goldens]


# One statement, which sees the redirects as they were: those that it ends do not lead on.
_REVIVE: LiteralString = (
    "with recursive ended as (update golden_redirect set recorded_to = clock_timestamp()"
    " where golden_id = any(%(revived)s::uuid[]) and recorded_to is null),"
    " way(id, root) as (select g, g from unnest(%(revived)s::uuid[]) g union all select r.golden_id, way.root from way"
    " join golden_redirect r on r.survivor = way.id and r.recorded_to is null and r.golden_id <> all(%(revived)s::uuid[])),"
    " active as (update golden_record set status = 'active', merged_into = null, updated_at = now()"
    " where id = any(%(revived)s::uuid[]) and status = 'merged')"
    " update golden_record g set merged_into = way.root, updated_at = now() from way where g.id = way.id and g.id <> way.root"
)
