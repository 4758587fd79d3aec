"""Values that stopped being evidence because too many held them become evidence again, once fewer do.

The frequency guard takes a value from its holders when a delivery makes it over-shared. Where records go away again, as with a load that is
taken back, nobody delivers: what is left is asked here.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.candidates import read_blocks
from mdm.db import array, execute, fetch, lock
from mdm.entity import EntityType
from mdm.feed import publish
from mdm.guard import Demoted, evidence
from mdm.ingest import Writing, store_and_settle
from mdm.jsonio import canonical, dumps
from mdm.models import scorer as active_scorer
from mdm.reread import current

REGAINED_MAX = 10  # records of one transaction: some forty keys each, within its locks


def regain(session: Session, entity: EntityType, records: Sequence[UUID]) -> None:
    """Give these records the columns that a delivery would give them now; those that change are scored and settled again."""
    keys = fetch(session, "select unnest(keys) from source_record where id = any(%s)", (array(records),))
    lock(session, f"block:{entity.name}", {row[0] for row in keys})
    changed = _changed(session, entity, records)
    if not changed:
        return
    told = dumps([{"id": each.record_id, "columns": each.columns} for each in changed]).decode()
    execute(session, _WRITE, (told,))
    blocks = read_blocks(session, {key for each in changed for key in each.keys})
    settled, _ = store_and_settle(session, entity, active_scorer(session, entity), Writing(blocks, (), changed))
    publish(session, entity.name, settled.happenings)


_WRITE = "update source_record r set columns = x.columns from jsonb_to_recordset(%s::jsonb) as x(id uuid, columns jsonb) where r.id = x.id"


def _changed(session: Session, entity: EntityType, records: Sequence[UUID]) -> list[Demoted]:
    """Records whose columns are not what their words, what was ruled of these and today's holders make of them."""
    execute(session, "select 1 from source_record where id = any(%s) order by id for update", (array(records),))
    found = current(session, entity, active_scorer(session, entity).model, records)
    blocks = read_blocks(session, {key for i in found for key in i.keys})
    kept = {i.record_id: evidence(entity, blocks, i.record_id, i.columns) for i in found}
    return [
        Demoted(i.record_id, kept[i.record_id], i.stored.keys)
        for i in found
        if i.stored and i.stored.keys and canonical(kept[i.record_id]) != canonical(i.stored.columns)
    ]
