"""Is everybody where records and decisions say? Partitions worked out from scratch and compared with what is stored.

Nothing is changed. A golden record that the evidence would part is no difference while the task that proposes the cut is open.
"""

from collections.abc import Iterator
from functools import partial
from uuid import UUID

from sqlalchemy.orm import Session

from matching.score import Scorer
from mdm.db import Database, execute, fetch
from mdm.entity import EntityType
from mdm.members import component, edges_at
from mdm.models import current_scorer
from mdm.resolve import partition

BATCH = 200
FIRST = UUID(int=0)


def misplaced(database: Database, entity: EntityType) -> Iterator[UUID]:
    """Golden records of a domain whose records would not share one, and exactly one, if everything were worked out anew."""
    after: UUID | None = FIRST
    while after is not None:
        found, after = database.run(partial(_in_one_snapshot, entity=entity, after=after))
        yield from found


def _in_one_snapshot(session: Session, entity: EntityType, after: UUID) -> tuple[set[UUID], UUID | None]:
    """A delivery between two reads would look like damage."""
    execute(session, "set transaction isolation level repeatable read, read only")
    return misplaced_after(session, entity, after)


def misplaced_after(session: Session, entity: EntityType, after: UUID = FIRST) -> tuple[set[UUID], UUID | None]:
    """The misplaced among the next golden records, and where to go on."""
    rows = fetch(
        session,
        "select g.id, min(l.record_id::text)::uuid from golden_record g join link l on l.golden_id = g.id and l.recorded_to is null"
        " where g.domain = %s and g.id > %s group by g.id order by g.id limit %s",
        (entity.name, after, BATCH),
    )
    scorer = current_scorer(session, entity)
    seen: set[UUID] = set()
    wrong: set[UUID] = set()
    for golden_id, record_id in rows:
        if golden_id not in seen:
            found, goldens = around(session, scorer, record_id)
            wrong |= found
            seen |= goldens
    return wrong, rows[-1][0] if len(rows) == BATCH else None


def around(session: Session, scorer: Scorer, record_id: UUID) -> tuple[set[UUID], set[UUID]]:
    """The misplaced golden records of the component of a record, and all of its golden records."""
    members = component(session, [record_id], scorer.model.thresholds.link)
    groups, _ = partition(scorer, members, edges_at(session, members), {})
    wanted = {group.members for group in groups}
    homes: dict[UUID, set[str]] = {}
    for member in members.values():
        if member.golden_id is not None:
            homes.setdefault(member.golden_id, set()).add(member.name)
    return {golden for golden, names in homes.items() if frozenset(names) not in wanted}, set(homes)
