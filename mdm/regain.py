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
from mdm.guard import Demoted, evidence, record_keys
from mdm.ingest import Writing, store_and_settle
from mdm.jsonio import canonical, dumps
from mdm.models import scorer as active_scorer
from mdm.records import delivery_of
from mdm.standardise import standardise
from mdm.systems import registry

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
    """Records whose columns are not what their words and today's holders make of them."""
    rows = fetch(
        session,
        "select r.id, r.columns, r.keys, r.system, r.key, v.raw, v.status, v.valid_from, v.valid_to from source_record r"
        " join source_record_version v on v.record_id = r.id and v.version = r.version"
        " where r.id = any(%s) and r.keys <> '{}' order by r.id for update of r",
        (array(records),),
    )
    systems, model = registry(session), active_scorer(session, entity).model
    full = {row[0]: standardise(entity, delivery_of(*row[3:]), systems).columns for row in rows}
    blocks = read_blocks(session, {key for columns in full.values() for key in record_keys(entity, model, columns)})
    kept = {record: evidence(entity, blocks, record, columns) for record, columns in full.items()}
    return [Demoted(row[0], kept[row[0]], tuple(row[2])) for row in rows if canonical(kept[row[0]]) != canonical(row[1])]
