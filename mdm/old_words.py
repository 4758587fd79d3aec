"""Words by which golden records are searched, made anew from their values: after another attribute was declared searchable."""

from functools import partial
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import Database, execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.jsonio import dumps
from mdm.words import lexemes

REMEDY = "run `mdm repair words`"
_BATCH = 500


def repair(database: Database) -> int:
    """How many golden records got other words; a batch to a transaction."""
    changed, after = 0, UUID(int=0)
    while True:
        found, last = database.run(partial(_some, after))
        changed += found
        if last is None:
            return changed
        after = last


def _some(after: UUID, session: Session) -> tuple[int, UUID | None]:
    rows = fetch(
        session,
        "select v.golden_id, g.domain, v.values from golden_version v join golden_record g on g.id = v.golden_id"
        " where v.recorded_to is null and v.golden_id > %s order by v.golden_id limit %s for update of v",
        (after, _BATCH),
    )
    if not rows:
        return 0, None
    wanted = [{"id": row[0], "words": lexemes(ENTITY_TYPES[row[1]], row[2])} for row in rows if row[1] in ENTITY_TYPES]
    changed = execute(
        session,
        "update golden_version v set words = array_to_tsvector(x.words) from jsonb_to_recordset(%s::jsonb) as x(id uuid, words text[])"
        " where v.golden_id = x.id and v.recorded_to is null and v.words <> array_to_tsvector(x.words)",
        (dumps(wanted).decode(),),
    )
    return changed, rows[-1][0]
