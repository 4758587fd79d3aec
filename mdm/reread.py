"""Versions of stored records, read by today's declarations: as a delivery of the same words would be."""

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from matching.model import Model
from mdm import identifier_rulings
from mdm.db import Row, array, fetch
from mdm.entity import EntityType
from mdm.guard import record_keys
from mdm.records import Incoming, delivery_of, read_stored
from mdm.standardise import standardise
from mdm.systems import registry

# What `delivery_of` takes after the record's place
FROM_VERSION: LiteralString = "v.raw, v.status, v.valid_from, v.valid_to"
_CURRENT: LiteralString = (
    f"select r.system, r.key, {FROM_VERSION} from source_record r join source_record_version v on v.record_id = r.id"
    " and v.version = r.version where r.id = any(%s::uuid[]) and r.hash <> '' order by r.id"
)


def current(session: Session, entity: EntityType, model: Model, records: Sequence[UUID]) -> list[Incoming]:
    """These records as their sources delivered them last, with the rulings that stand, in order of their ids; without withdrawn ones.

    Call it after the locks of their keys are taken.
    """
    rows = fetch(session, _CURRENT, (array(records),)) if records else []
    return identifier_rulings.apply(session, entity, registry(session), versions(session, entity, model, rows))


def versions(session: Session, entity: EntityType, model: Model, rows: Sequence[Row]) -> list[Incoming]:
    """Versions of stored records, each given as system, key, raw, status and dates, without what was ruled of their identifiers.

    A record is found by its key as it is stored, which need not be in normal form (`mdm.old_keys`).
    """
    systems = registry(session)
    stored = read_stored(session, entity, [(row[0], row[1]) for row in rows])
    found = []
    for row in rows:
        standard, held = standardise(entity, delivery_of(*row), systems), stored[row[0], row[1]]
        found.append(Incoming(held.id, standard, held, standard.columns, record_keys(entity, model, standard.columns)))
    return found
