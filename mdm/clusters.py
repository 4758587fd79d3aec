"""The records of one golden record with the weight of every pair, and where it would part most easily. Preview and result are one function.

A split that a person asks for is a task like any other: it can be looked at, proposed, decided by a second person, taken back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit, mask, policy
from mdm.access import Actor, Verb
from mdm.desk import Wanted, want
from mdm.entity import EntityType
from mdm.errors import Conflict, NotFound
from mdm.golden import locate
from mdm.members import Member, members_of
from mdm.models import scorer
from mdm.reading import Reader

SHOWN_MAX = 60  # records in one matrix; a larger cluster is looked at here, and parted pair by pair or over /v1


@dataclass(frozen=True, slots=True)
class Record:
    """One source record of the cluster, as the reader sees it, and the group the suggestion puts it in."""

    id: UUID
    system: str
    key: str
    line: str
    group: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """The records, the weight of each pair (None: itself), the suggested cut's weakest bridge, and how many records there are in all."""

    golden_id: UUID
    records: tuple[Record, ...]
    weights: tuple[tuple[float | None, ...], ...]
    bridge: tuple[int, int, float] | None
    total: int

    @property
    def is_whole(self) -> bool:
        """Whether every record is here: who has not seen one cannot say where it belongs."""
        return len(self.records) == self.total


def read(session: Session, entity: EntityType, reader: Reader, golden_id: UUID, suggested: Sequence[Sequence[str]] = ()) -> Cluster:
    """A cluster with a suggested cut; without one it is where the groups hang together least. Raises NotFound out of scope."""
    policy.check(reader.actor, Verb.READ, entity.name)
    everybody = members_of(session, [golden_id]).get(golden_id, [])
    if not everybody or not all(policy.in_scope(reader.actor, m.system) for m in everybody):
        raise NotFound
    members = everybody[:SHOWN_MAX]
    weights = _weights(session, entity, members)
    parts = [[str(m.id) for m in members if str(m.id) in part] for part in suggested] or _cut(members, weights)
    group = {record: number for number, part in enumerate(sorted(parts, key=len, reverse=True), start=1) for record in part}
    ordered = sorted(members, key=lambda m: (group.get(str(m.id), 1), m.name))
    _audit(session, entity, reader, golden_id)
    rows = tuple(Record(m.id, m.system, m.key, _line(entity, reader, m), group.get(str(m.id), 1)) for m in ordered)
    matrix = tuple(tuple(None if a is b else weights[a.id, b.id] for b in ordered) for a in ordered)
    return Cluster(golden_id, rows, matrix, _bridge(rows, matrix), len(everybody))


def _line(entity: EntityType, reader: Reader, member: Member) -> str:
    return mask.line(entity, mask.values(entity, reader.actor, member.attributes)) or f"{member.system} {member.key}"


def _weights(session: Session, entity: EntityType, members: Sequence[Member]) -> dict[tuple[UUID, UUID], float]:
    weigher = scorer(session, entity)
    found = {}
    for a, b in combinations(members, 2):
        found[a.id, b.id] = found[b.id, a.id] = weigher.score(a.columns, b.columns).weight
    return found


def _cut(members: Sequence[Member], weights: Mapping[tuple[UUID, UUID], float]) -> list[list[str]]:
    """Two groups: whatever hangs together most is joined first, by the mean of all pairs, until two are left."""
    groups = [[m.id] for m in members]
    while len(groups) > 2:
        pairs = [(_mean(weights, groups[a], groups[b]), -a, -b) for a, b in combinations(range(len(groups)), 2)]
        _, a, b = max(pairs)
        a, b = -a, -b
        groups[a] += groups.pop(b)
    return [[str(record) for record in group] for group in groups]


def _mean(weights: Mapping[tuple[UUID, UUID], float], one: Sequence[UUID], other: Sequence[UUID]) -> float:
    return sum(weights[a, b] for a in one for b in other) / (len(one) * len(other))


def _bridge(rows: Sequence[Record], matrix: Sequence[Sequence[float | None]]) -> tuple[int, int, float] | None:
    """The strongest tie between two groups of the suggestion: the one that holds them together."""
    cells = [(weight, a, b) for a, row in enumerate(matrix) for b, weight in enumerate(row) if weight is not None]
    between = [(weight, a, b) for weight, a, b in cells if rows[a].group < rows[b].group]
    if not between:
        return None
    weight, a, b = max(between)
    return a, b, weight


def ask(session: Session, entity: EntityType, actor: Actor, golden_id: UUID) -> UUID:
    """A task to part this golden record; the open one, if there is one. Raises Conflict for a single record."""
    survivor = locate(session, entity, golden_id)[0]
    members = members_of(session, [survivor]).get(survivor, [])
    if len(members) < 2:
        raise Conflict("this golden record has one source record: there is nothing to part")
    key = f"split:{entity.name}:{survivor}"
    wanted = Wanted(domain=entity.name, kind="split", key=key, goldens=[survivor], records=[m.id for m in members])
    return want(session, actor, wanted)


def _audit(session: Session, entity: EntityType, reader: Reader, golden_id: UUID) -> None:
    if entity.phi:
        audit.record(
            session,
            reader.actor,
            "cluster:read",
            domain=entity.name,
            subjects=[golden_id],
            fields=sorted(entity.display),
            request_id=reader.request_id,
            outcome="answered",
        )
