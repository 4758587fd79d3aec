"""All stored records of a domain at once, as matching sees them: what training learns from and bulk matching compares."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

import numpy as np

from matching.arrays import Rows
from matching.model import Columns
from mdm.db import Database, connection, fetch, translated
from mdm.entity import EntityType

_BATCH = 5_000

Ends = tuple[bytes, bytes]  # the lower and the higher ends of edges, 16 bytes each


@dataclass(frozen=True, slots=True)
class Stock:
    """The active records of one moment, by row number: their ids, comparison columns, golden records, and names (system/key)."""

    ids: Sequence[UUID]
    columns: Sequence[Columns]
    golden_ids: Sequence[UUID]
    names: Sequence[str]

    def rows(self) -> Mapping[UUID, int]:
        return {record: row for row, record in enumerate(self.ids)}

    def golden_numbers(self) -> Rows:
        """The partition as it stands: one number per golden record."""
        return np.unique([golden.int.to_bytes(16, "big") for golden in self.golden_ids], return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True, slots=True)
class StoredPair:
    """An edge without its evidence. `verdict`: same, different, or None where no person has judged."""

    low: UUID
    high: UUID
    weight: float
    model_version: str | None
    verdict: str | None


def read_stock(database: Database, entity: EntityType) -> Stock:
    """Read a domain's active records in one snapshot."""
    found: tuple[list[Any], ...] = ([], [], [], [])
    for rows in _read(database, entity, "r.columns"):
        for all_of_them, some in zip(found, zip(*rows, strict=True), strict=True):
            all_of_them.extend(some)
    return Stock(*found)


@dataclass(frozen=True, slots=True)
class Written:
    """Some records of a stock, their columns as JSON."""

    ids: Sequence[UUID]
    columns: Sequence[str]
    golden_ids: Sequence[UUID]
    names: Sequence[str]


def written_stock(database: Database, entity: EntityType) -> Iterator[Written]:
    """A domain's active records in one snapshot, some thousand at a time: for whoever has no room for all of them as they stand."""
    for rows in _read(database, entity, "r.columns::text"):
        yield Written(*zip(*rows, strict=True))


def _read(database: Database, entity: EntityType, columns: LiteralString) -> Iterator[list[tuple[Any, ...]]]:
    with database.unit_of_work() as session, translated(), connection(session).cursor(name="stock") as cursor:
        cursor.execute(
            "select r.id, " + columns + ", l.golden_id, r.system || '/' || r.key from source_record r join link l on l.record_id = r.id"
            " and l.recorded_to is null where r.domain = %s and r.status = 'active' order by r.id",
            (entity.name,),
        )
        while rows := cursor.fetchmany(_BATCH):
            yield rows


def read_pairs(database: Database, entity: EntityType) -> list[StoredPair]:
    """Every edge of a domain."""
    return _pairs(database, _PAIRS, entity)


def edge_ends(database: Database, entity: EntityType) -> Iterator[Ends]:
    """Whom the edges of a domain join, some thousand at a time."""
    with database.unit_of_work() as session, connection(session).cursor(name="edges", binary=True) as cursor:
        cursor.execute(_ENDS, (_BATCH, entity.name))
        yield from cursor


_ENDS: LiteralString = (
    "select string_agg(uuid_send(low), ''), string_agg(uuid_send(high), '') from (select e.low, e.high, row_number() over () / %s as part"
    " from edge e join source_record r on r.id = e.low where r.domain = %s) numbered group by part"
)


def judged_pairs(database: Database, entity: EntityType) -> list[StoredPair]:
    """Of a domain's edges those that a person has judged."""
    return _pairs(database, _PAIRS + " and e.verdict is not null", entity)


_PAIRS: LiteralString = (
    "select e.low, e.high, e.weight, e.model_version, e.verdict from edge e join source_record r on r.id = e.low where r.domain = %s"
)


def _pairs(database: Database, statement: LiteralString, entity: EntityType) -> list[StoredPair]:
    with database.unit_of_work() as session:
        return [StoredPair(*row) for row in fetch(session, statement, (entity.name,))]
