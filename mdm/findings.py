"""What is wrong with golden records beside the question who is who, as derived data: the open tasks of these kinds equal what is found.

oversize            a golden record has more source records than its model's bound
shared_identifier   several golden records carry what one should (`mdm.shared_identifiers`)
drift               a source has changed its mind under a person's word (`mdm.drift`)
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from matching.score import Scorer
from mdm import drift, shared_identifiers
from mdm.entity import EntityType
from mdm.finding import Finding, Known, standing
from mdm.members import Member, StoredEdge

OVERSIZE = "oversize"
KEEP_SIZE = "keep-size"  # of the decision that says: these records are one, however many they are
ANSWERS = frozenset({KEEP_SIZE, drift.EXCEPTION})  # decisions that end a finding by being written, and by nothing else
KINDS = (OVERSIZE, shared_identifiers.KIND, drift.KIND)

Goldens = Mapping[UUID, Sequence[Member]]


def wanted(
    session: Session, entity: EntityType, scorer: Scorer, goldens: Goldens, edges: Sequence[StoredEdge], known: Sequence[Known]
) -> list[Finding]:
    """All that is found at these golden records, and of what open tasks are about."""
    members = [m for found in goldens.values() for m in found if m.status == "active"]
    shared = [each for each in known if each.kind == shared_identifiers.KIND]
    return [
        *_oversize(session, entity, scorer.model.max_cluster, goldens),
        *shared_identifiers.wanted(session, entity, members, shared),
        *drift.wanted(session, entity, scorer, goldens, edges),
    ]


def _oversize(session: Session, entity: EntityType, bound: int, goldens: Goldens) -> list[Finding]:
    found = []
    for golden, members in goldens.items():
        records = tuple(sorted(m.id for m in members))
        if len(records) > bound and not any(set(records) <= kept for kept, _ in standing(session, entity.name, KEEP_SIZE, records)):
            detail = {"bound": bound, "records": len(records)}
            found.append(Finding(f"{OVERSIZE}:{entity.name}:{golden}", OVERSIZE, (golden,), records, detail, float(len(records))))
    return found
