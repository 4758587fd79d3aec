"""Merge requests to source systems: what a link-only decision leaves to be done elsewhere, as derived data.

Link-only says that records are one entity although a system keeps several of them: here they share a golden record, there they live on.
As long as two of them are active in one system, that system's people are asked to merge them; the request ends by itself when they have.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import array, fetch
from mdm.entity import EntityType
from mdm.members import Member

KIND = "request"  # of the task
LINK_ONLY, ANSWER = "link-only", "answer"  # of the decisions that ask, and that say what came of it
IMPACT = 10.0


@dataclass(frozen=True, slots=True)
class Request:
    """Records of one system that are one entity by a decision, and the golden record that they share."""

    golden_id: UUID
    system: str
    records: tuple[UUID, ...]
    decision_id: UUID

    @property
    def key(self) -> str:
        return key_of(self.decision_id, self.records)


def key_of(decision_id: UUID | str, records: Sequence[UUID]) -> str:
    """One open request at a time about these records."""
    return f"{KIND}:{decision_id}:{min(records)}"


def doubled(members: Iterable[Member]) -> dict[str, list[UUID]]:
    """The systems in which more than one of these records is active, with these records."""
    found: dict[str, list[UUID]] = {}
    for member in members:
        if member.status == "active":
            found.setdefault(member.system, []).append(member.id)
    return {system: sorted(records) for system, records in found.items() if len(records) > 1}


def wanted(session: Session, entity: EntityType, goldens: Mapping[UUID, Sequence[Member]]) -> list[Request]:
    """What standing link-only decisions ask of systems, as records are now, unless it was answered."""
    by_id = {m.id: (golden, m) for golden, members in goldens.items() for m in members}
    rows = fetch(
        session,
        "select d.id, d.kind, d.records, d.detail ->> 'request' from decision d where d.domain = %s and d.kind = any(%s)"
        " and d.records && %s::uuid[] and not exists (select 1 from decision r where r.revokes = d.id) order by d.id",
        (entity.name, [LINK_ONLY, ANSWER], array(by_id)),
    )
    answered = {request for _, kind, _, request in rows if kind == ANSWER}
    found: list[Request] = []
    for decision_id, kind, records, _ in rows:
        if kind == LINK_ONLY:
            found += _asked(decision_id, [by_id[record] for record in records if record in by_id])
    return [request for request in found if request.key not in answered]


def _asked(decision_id: UUID, known: Sequence[tuple[UUID, Member]]) -> Iterable[Request]:
    homes: dict[UUID, list[Member]] = {}
    for golden, member in known:
        homes.setdefault(golden, []).append(member)
    for golden, members in sorted(homes.items()):
        for system, records in sorted(doubled(members).items()):
            yield Request(golden, system, tuple(records), decision_id)
