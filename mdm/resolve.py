"""From a change to settled identity: component -> clusters -> golden records -> derived data -> review tasks.

The partition is a function of the component's edges and decisions alone. The machine joins; where it would part what is published it opens
a task with the cut, so that the present partition differs from the function's only by open proposals.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.orm import Session

from matching.cluster import Clustering, Pair, cluster, connected, limits_of, pair
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
from mdm.members import COMPONENT_MAX, Member, StoredEdge, component, edges_at
from mdm.relationships import derive_relationships
from mdm.reviews import Outlook, refresh_reviews
from mdm.systems import SystemRegistry

_LOCK_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Change:
    """Records that were written, and why they are linked from here on."""

    records: frozenset[UUID]
    alone: tuple[Member, ...] = ()  # new records without any edge: nothing can join them
    may_part: frozenset[UUID] = frozenset()  # golden records whose cut a person accepted
    cause: str = "edge"
    only_weighed: bool = False  # the records are as they were, another model has weighed them


@dataclass(slots=True)
class Settled:
    """What became of the records: their golden ids, what happened, the open task of each, if any, and loops of relationships met."""

    golden_of: dict[UUID, UUID] = field(default_factory=dict)
    tasks: dict[UUID, UUID] = field(default_factory=dict)
    happenings: list[Happening] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)


def settle(session: Session, entity: EntityType, scorer: Scorer, registry: SystemRegistry, change: Change) -> Settled:
    """Derive everything that the change touches. The caller holds the blocking locks and publishes the happenings last."""
    members, edges = _component(session, scorer, change)
    groups, cuts = _partition(scorer, members, edges, change.may_part)
    return _apply(session, entity, registry, scorer, _Plan(members, edges, groups, cuts, change))


def _component(session: Session, scorer: Scorer, change: Change) -> tuple[dict[UUID, Member], list[StoredEdge]]:
    """The touched component, its golden records locked in order; read again until nothing was added while waiting."""
    alone = {member.id: member for member in change.alone}
    linked = sorted(change.records - alone.keys())
    if not linked:
        return alone, []
    locked: set[UUID] = set()
    for _ in range(_LOCK_ROUNDS):
        members = component(session, linked, scorer.model.thresholds.link)
        goldens = {m.golden_id for m in members.values() if m.golden_id is not None}
        if goldens <= locked:
            return members | alone, edges_at(session, members)
        fetch(session, "select id from golden_record where id = any(%s) order by id for update", (array(sorted(goldens)),))
        locked |= goldens
    raise Busy


def _partition(
    scorer: Scorer, members: Mapping[UUID, Member], edges: Sequence[StoredEdge], may_part: frozenset[UUID]
) -> tuple[list[Group], list[Cut]]:
    names = {m.id: m.name for m in members.values()}
    by_name = {m.name: m for m in members.values()}
    inside = [e for e in edges if e.low in names and e.high in names]
    golden_of = {m.name: m.golden_id for m in members.values() if m.golden_id is not None}
    groups: list[Group] = []
    cuts: list[Cut] = []
    for part in _parts(by_name, inside, names):
        found, torn = groups_and_cuts(
            cluster_part(scorer, part, by_name, inside), {n: g for n, g in golden_of.items() if n in part}, may_part=may_part
        )
        groups += found
        cuts += torn
    return groups, cuts


def _parts(by_name: Mapping[str, Member], inside: Sequence[StoredEdge], names: Mapping[UUID, str]) -> Iterable[set[str]]:
    """Connected parts by any edge or a shared golden record."""
    joins = [pair(names[e.low], names[e.high]) for e in inside]
    homes: dict[UUID, str] = {}
    for name, member in by_name.items():
        if member.golden_id is not None:
            first = homes.setdefault(member.golden_id, name)
            joins.append(pair(first, name))
    left = set(by_name)
    while left:
        part = connected(joins, [min(left)])
        left -= part
        yield part


def cluster_part(scorer: Scorer, part: set[str], by_name: Mapping[str, Member], edges: Sequence[StoredEdge]) -> Clustering:
    """The clusters of one connected part, every pair of it scored, also those that blocking never met."""
    if len(part) == 1:
        return Clustering((frozenset(part),), ())
    if len(part) > COMPONENT_MAX:
        return Clustering(tuple(frozenset({name}) for name in sorted(part)), ())
    ids = {by_name[name].id: name for name in part}
    weights: dict[Pair, float] = {}
    together: set[Pair] = set()
    apart: set[Pair] = set()
    for edge in edges:
        if edge.low in ids and edge.high in ids:
            p = pair(ids[edge.low], ids[edge.high])
            weights[p] = edge.weight
            if edge.verdict == "same":
                together.add(p)
            elif edge.verdict == "different" or edge.vetoes:
                apart.add(p)
    _score_the_rest(scorer, sorted(part), by_name, weights, apart)
    return cluster(part, weights, together=frozenset(together), apart=frozenset(apart), limits=limits_of(scorer.model))


def _score_the_rest(scorer: Scorer, names: list[str], by_name: Mapping[str, Member], weights: dict[Pair, float], apart: set[Pair]) -> None:
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            if (a, b) not in weights:
                score = scorer.score(by_name[a].columns, by_name[b].columns)
                weights[a, b] = score.weight
                if score.vetoes:
                    apart.add((a, b))


@dataclass(frozen=True, slots=True)
class _Plan:
    members: Mapping[UUID, Member]
    edges: Sequence[StoredEdge]
    groups: Sequence[Group]
    cuts: Sequence[Cut]
    change: Change


def _apply(session: Session, entity: EntityType, registry: SystemRegistry, scorer: Scorer, plan: _Plan) -> Settled:
    by_name = {m.name: m for m in plan.members.values()}
    goldens: dict[UUID, list[Member]] = {}
    new: set[UUID] = set()
    merged: list[tuple[UUID, UUID]] = []
    for group in plan.groups:
        golden_id = group.keeps
        if golden_id is None:
            golden_id = new_golden_id()
            new.add(golden_id)
        goldens[golden_id] = [by_name[name] for name in sorted(group.members)]
        merged += [(absorbed, golden_id) for absorbed in group.absorbs]
    settled = Settled(golden_of={m.id: g for g, members in goldens.items() for m in members})
    moved = {g: members for g, members in goldens.items() if any(m.golden_id != g or m.id in plan.change.records for m in members)}
    _move_links(session, entity, moved, new, plan.change.cause)
    settled.happenings += _merge_goldens(session, merged)
    settled.happenings += derive(session, entity, registry, moved, new=frozenset(new))
    settled.loops = derive_relationships(session, entity, registry, moved, merged)
    if plan.edges or plan.cuts or any(m.golden_id is not None for m in plan.members.values()):
        settled.tasks = refresh_reviews(
            session, entity, scorer.model, Outlook(goldens, plan.edges, plan.cuts, [old for old, _ in merged], plan.change.only_weighed)
        )
    return settled


def _move_links(session: Session, entity: EntityType, goldens: Mapping[UUID, Sequence[Member]], new: set[UUID], cause: str) -> None:
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
        rows = [{"r": m.id, "g": g, "c": "new" if g in new and len(goldens[g]) == 1 else cause} for m, g in moving]
        write(
            session,
            "insert into link (record_id, golden_id, cause, recorded_from) select r, g, c, statement_timestamp()"
            " from jsonb_to_recordset(%s::jsonb) as x(r uuid, g uuid, c text)",
            (dumps(rows).decode(),),
        )


def _merge_goldens(session: Session, merged: Sequence[tuple[UUID, UUID]]) -> list[Happening]:
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
    execute(session, "update golden_version set recorded_to = clock_timestamp() where golden_id = any(%s) and recorded_to is null", (olds,))
    execute(
        session,
        "update xref set recorded_to = clock_timestamp(), exclusive = false where golden_id = any(%s) and recorded_to is null",
        (olds,),
    )
    return [Happening("golden.merged", old, {"into": str(survivor)}) for old, survivor in merged]
