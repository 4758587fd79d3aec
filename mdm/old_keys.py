"""Records that were delivered before keys were kept in normal form (`mdm.standardise.local_key`): found, and put right one by one.

A record whose key has outer or double blanks is found by nobody who asks for it: what its system delivers now is another record.
"""

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit
from mdm.access import SYSTEM_ACTOR
from mdm.claims import lock_source
from mdm.db import Database, execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.entity import EntityType
from mdm.feed import publish
from mdm.identity import lock_records
from mdm.models import scorer
from mdm.resolve import Change, settle
from mdm.rulings import read_anew
from mdm.standardise import local_key
from mdm.systems import registry
from mdm.withdraw import withdraw

REMEDY = "run `mdm repair keys`"
_OLD: LiteralString = r" from source_record where status = 'active' and key ~ '^\s|\s$|\s\s|[\t\n\r\f\v]'"
COUNT: LiteralString = "select count(*)" + _OLD


@dataclass(frozen=True, slots=True)
class Repaired:
    """Records that have their normal key now, and those that went because a record of that key had come since.

    The two are in one golden record: the crosswalk has never let two of them hold one key.
    """

    renamed: int = 0
    withdrawn: int = 0


def repair(database: Database) -> Repaired:
    """Each in a transaction of its own."""
    found = database.run(lambda session: fetch(session, "select domain, id" + _OLD + " order by id"))
    outcomes = Counter(database.run(partial(put_right, ENTITY_TYPES[domain], record)) for domain, record in found)
    return Repaired(outcomes["renamed"], outcomes["withdrawn"])


def put_right(entity: EntityType, record: UUID, session: Session) -> str:
    """What became of the record: `renamed`, `withdrawn`, or `gone` since it was found."""
    system, key = fetch(session, "select system, key from source_record where id = %s", (record,))[0]
    lock_source(session, entity, system, local_key(key))
    place = (entity.name, system, local_key(key))
    rows = fetch(session, "select id from source_record where domain = %s and system = %s and key = %s", place)
    lock_records(session, entity, [record])
    if not fetch(session, "select 1 from source_record where id = %s and status = 'active'", (record,)):
        return "gone"  # since it was found
    if rows:
        withdraw(session, entity, [record], {})
    else:
        _rename(session, entity, record, local_key(key))
    outcome = "withdrawn" if rows else "renamed"
    audit.record(session, SYSTEM_ACTOR, f"record:key_{outcome}", domain=entity.name, detail={"record": str(record)})
    return outcome


def _rename(session: Session, entity: EntityType, record: UUID, key: str) -> None:
    execute(session, "update source_record set key = %s where id = %s", (key, record))
    touched = read_anew(session, entity, [record])
    settled = settle(session, entity, scorer(session, entity), registry(session), Change(touched | {record}))
    publish(session, entity.name, settled.happenings)
