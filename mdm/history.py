"""The past, in lanes: which source records a golden record had, what each of them said and when, and what differs between two points.

A point has two times: `as_of`, a day in the world, and `known_at`, a moment of ours. Nothing here is ever rewritten, so that the same
question about the past always has the same answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import Row, array, fetch
from mdm.entity import EntityType
from mdm.errors import NotFound
from mdm.golden import GoldenView, Held, locate, read
from mdm.standardise import Note, local_key


@dataclass(frozen=True, slots=True)
class RecordVersion:
    """One delivery of a record, as received. From `recorded_from` to `recorded_to` it was current; one that was held back never was."""

    version: int
    state: str
    status: str
    valid_from: date | None
    valid_to: date | None
    recorded_from: datetime
    recorded_to: datetime | None
    attributes: Mapping[str, Any]
    identifiers: tuple[tuple[str, str], ...]
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class Stay:
    """A record was part of a golden record: since when and why, until when, and where it went then and why."""

    golden_id: UUID
    joined_at: datetime
    joined_by: str
    left_at: datetime | None
    left_to: UUID | None
    left_by: str | None


@dataclass(frozen=True, slots=True)
class Lane:
    """One source record beside the others: its stays, its versions, oldest first."""

    record_id: UUID
    system: str
    key: str
    stays: tuple[Stay, ...]
    versions: tuple[RecordVersion, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """A day in the world and a moment of ours; None is the present."""

    as_of: date | None = None
    known_at: datetime | None = None


Points = tuple[Point, Point]


@dataclass(frozen=True, slots=True)
class Origin:
    """The source record that a value came from."""

    record_id: UUID
    system: str
    key: str


@dataclass(frozen=True, slots=True)
class Change:
    """An attribute that differs, with where each value came from; None: there was none."""

    attribute: str
    before: object
    after: object
    source_before: Origin | None
    source_after: Origin | None


@dataclass(frozen=True, slots=True)
class Diff:
    """What differs between two points. The version of a point is None where the golden record was not known then."""

    id: UUID
    version_before: int | None
    version_after: int | None
    status_before: str | None
    status_after: str | None
    values: tuple[Change, ...]
    identifiers_added: tuple[Held, ...]
    identifiers_removed: tuple[Held, ...]
    records_joined: tuple[Origin, ...]
    records_left: tuple[Origin, ...]


def lanes(session: Session, entity: EntityType, golden_id: UUID) -> list[Lane]:
    """Every record that ever was part of the golden record, by system and key; of a merged id its own, up to the merge."""
    locate(session, entity, golden_id)
    return _lanes(session, fetch(session, _STAYS + " where l.golden_id = %s order by r.system, r.key, l.id", (golden_id,)))


def lane(session: Session, entity: EntityType, system: str, key: str) -> Lane:
    """One source record with every golden record that it was part of. Raises NotFound."""
    wanted = " where r.domain = %s and r.system = %s and r.key = %s order by l.id"
    found = _lanes(session, fetch(session, _STAYS + wanted, (entity.name, system, local_key(key))))
    if not found:
        raise NotFound("this system has no such record")
    return found[0]


_STAYS = (
    "select r.id, r.system, r.key, l.golden_id, l.recorded_from, l.cause, l.recorded_to, n.golden_id, n.cause"
    " from source_record r join link l on l.record_id = r.id"
    " left join lateral (select x.golden_id, x.cause from link x where x.record_id = l.record_id and x.id > l.id order by x.id limit 1) n"
    " on l.recorded_to is not null"
)


def _lanes(session: Session, rows: Sequence[Row]) -> list[Lane]:
    stays: dict[tuple[UUID, str, str], list[Stay]] = {}
    for row in rows:
        stays.setdefault((row[0], row[1], row[2]), []).append(Stay(*row[3:6], *row[6:9]))
    versions = _versions(session, [record_id for record_id, _, _ in stays])
    return [Lane(*place, tuple(found), tuple(versions.get(place[0], ()))) for place, found in stays.items()]


def _versions(session: Session, records: Sequence[UUID]) -> dict[UUID, list[RecordVersion]]:
    rows = fetch(
        session,
        "select record_id, version, state, status, valid_from, valid_to, recorded_at, case when state = 'applied' then"
        " lead(recorded_at) over (partition by record_id, state order by recorded_at, version) end, raw, notes"
        " from source_record_version where record_id = any(%s) order by record_id, version",
        (array(records),),
    )
    found: dict[UUID, list[RecordVersion]] = {}
    for record_id, version, state, status, valid_from, valid_to, recorded_from, recorded_to, raw, notes in rows:
        identifiers = tuple((system, value) for system, value in raw["identifiers"])
        noted = tuple(Note(note["code"], note["pointer"]) for note in notes)
        said = raw["attributes"], identifiers, noted
        one = RecordVersion(version, state, status, valid_from, valid_to, recorded_from, recorded_to, *said)
        found.setdefault(record_id, []).append(one)
    return found


def views(session: Session, entity: EntityType, golden_id: UUID, points: Points) -> tuple[GoldenView | None, GoldenView | None]:
    """The golden record at both points, None where it was not known; raises NotFound when it was known at neither."""
    locate(session, entity, golden_id)
    before, after = (_view(session, entity, golden_id, point) for point in points)
    if before is None and after is None:
        raise NotFound("this golden record was known at neither moment")
    return before, after


def _view(session: Session, entity: EntityType, golden_id: UUID, point: Point) -> GoldenView | None:
    try:
        return read(session, entity, golden_id, as_of=point.as_of, known_at=point.known_at)
    except NotFound:
        return None


def origins(session: Session, records: Iterable[UUID]) -> dict[UUID, Origin]:
    """The records' names."""
    rows = fetch(session, "select id, system, key from source_record where id = any(%s)", (array(records),))
    return {row[0]: Origin(*row) for row in rows}
