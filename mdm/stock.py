"""All stored records of a domain at once, as matching sees them: what training learns from and bulk matching compares.

A domain has millions: as arrays they take a fifth of the room that they would take as objects, and a third of the time.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

import numpy as np

from matching.arrays import Bits, Flags, Rows, Weighed
from mdm.db import Database, connection, fetch, translated
from mdm.entity import EntityType
from mdm.pile import NOBODY, Ids, Pile, ids_from, ids_of, places_among

_BATCH = 5_000

Ends = tuple[Ids, Ids]  # the lower and the higher ends of edges


@dataclass(frozen=True, slots=True)
class StoredPair:
    """An edge without its evidence. `verdict`: same, different, or None where no person has judged."""

    low: UUID
    high: UUID
    weight: float
    model_version: str | None
    verdict: str | None


def read_stock(database: Database, entity: EntityType, columns: Collection[str]) -> Pile:
    """Read these columns of a domain's active records, in the order of their ids, in one snapshot."""
    from matching.parsed import Parser  # noqa: PLC0415  (DuckDB takes a second to load: loads of a few rows do without)

    found, parser = Pile(columns), Parser(columns)
    with database.unit_of_work() as session, translated(), connection(session).cursor(name="stock") as cursor:
        cursor.execute(_RECORDS, (entity.name,))
        while rows := cursor.fetchmany(_BATCH):
            ids, written, golden_ids, names = zip(*rows, strict=True)
            found.add_chunk(ids, parser.chunk(written), golden_ids, names)
    return found


_RECORDS: LiteralString = (
    "select r.id, r.columns::text, l.golden_id, r.system || '/' || r.key from source_record r join link l on l.record_id = r.id"
    " and l.recorded_to is null where r.domain = %s and r.status = 'active' order by r.id"
)


@dataclass(frozen=True, slots=True)
class Edges:
    """Edges between some records, by the row numbers of these, the smaller one left.

    `current`: whether this version of the model gave the weight. `judged`: whether a person has judged the pair.
    """

    left: Rows
    right: Rows
    weights: Bits
    current: Flags
    judged: Flags


def read_edges(database: Database, entity: EntityType, version: str, among: Ids) -> Edges:
    """The edges of a domain between two of these records, which are in the order of their ids."""
    what = (*_ENDS, "float8send(weight)", "boolsend(model_version = %s)", "boolsend(verdict is not null)")
    low, high, weights, current, judged = _packed(database, entity, what, (version,))
    left, right = places_among(ids_from(low), among), places_among(ids_from(high), among)
    here = (left != NOBODY) & (right != NOBODY)
    flags = (np.frombuffer(each, dtype=np.bool_)[here] for each in (current, judged))
    return Edges(left[here], right[here], np.frombuffer(weights, dtype=">f8").astype(np.float64)[here], *flags)


def edge_ends(database: Database, entity: EntityType) -> Ends:
    """Whom the edges of a domain join."""
    low, high = map(ids_from, _packed(database, entity, _ENDS, ()))
    return low, high


_ENDS: tuple[LiteralString, ...] = ("uuid_send(low)", "uuid_send(high)")


def _packed(database: Database, entity: EntityType, what: Sequence[LiteralString], params: tuple[object, ...]) -> list[bytes]:
    """Edges column by column, which come as packets: nobody looks at a million of them one by one."""
    with database.unit_of_work() as session, translated(), connection(session).cursor(name="edges", binary=True) as cursor:
        columns = ", ".join(f"string_agg({each}, '')" for each in what)
        cursor.execute(
            f"select {columns} from (select e.*, row_number() over () / %s as part from edge e join source_record r on r.id = e.low"
            " where r.domain = %s) numbered group by part",
            (*params, _BATCH, entity.name),
        )
        return [b"".join(parts) for parts in zip((b"",) * len(what), *cursor, strict=True)]


@dataclass(frozen=True, slots=True)
class Told:
    """Pairs that people have judged, of which both records are here: by row number, the smaller one left."""

    left: Rows
    right: Rows
    same: Flags

    def of(self, weighed: Weighed, size: int) -> tuple[Flags, Flags]:
        """Which of these pairs people called the same, which different."""
        codes = weighed.left * size + weighed.right
        mine = self.left * size + self.right
        return np.isin(codes, mine[self.same]), np.isin(codes, mine[~self.same])


def told_among(ids: Ids, judged: Sequence[StoredPair]) -> Told:
    """What people have said of pairs of these records, whose row numbers are their places here."""
    one, other = (places_among(ids_of(side), ids) for side in ([pair.low for pair in judged], [pair.high for pair in judged]))
    same = np.array([pair.verdict == "same" for pair in judged], dtype=np.bool_)
    here = (one != NOBODY) & (other != NOBODY)
    return Told(np.minimum(one, other)[here], np.maximum(one, other)[here], same[here])


def judged_pairs(database: Database, entity: EntityType) -> list[StoredPair]:
    """Of a domain's edges those that a person has judged."""
    with database.unit_of_work() as session:
        return [StoredPair(*row) for row in fetch(session, _JUDGED, (entity.name,))]


_JUDGED: LiteralString = (
    "select e.low, e.high, e.weight, e.model_version, e.verdict from edge e join source_record r on r.id = e.low"
    " where r.domain = %s and e.verdict is not null"
)
