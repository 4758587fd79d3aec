"""Identifiers that one entity has alone, claimed by rows of a file: who claims one that somebody else has, in the file or stored."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, LiteralString

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy.orm import Session

from matching.arrays import Rows
from mdm.db import fetch
from mdm.entity import EntityType
from mdm.pile import Held, Ids, Pile, ids_of
from mdm.running import Run

_VALUES = 20_000  # that one statement asks about

Claim = tuple[str, str]  # comparison column, identifier in its normal form


@dataclass(frozen=True, slots=True)
class Holders:
    """Stored records and the values that they hold, one beside the other."""

    ids: Ids
    values: Any  # an Arrow array of texts


def exclusive(entity: EntityType) -> dict[str, str]:
    """The columns of identifiers that one entity has alone, with the system of each."""
    return {rule.name: rule.system for rule in entity.identifiers if rule.exclusive}


def holders_among(stock: Pile, claimed: Mapping[str, Held]) -> dict[str, Holders]:
    """Who of all that is stored holds values that rows of the file claim."""
    found = {}
    for column, mine in claimed.items():
        held = stock.held(column)
        hit = pc.is_in(held.values, value_set=mine.values.combine_chunks())
        found[column] = Holders(stock.ids.take(pa.array(held.rows).filter(hit.combine_chunks())), held.values.filter(hit).combine_chunks())
    return found


def read_holders(run: Run, entity: EntityType, claims: Collection[Claim]) -> dict[str, Holders]:
    """The same, asked of the crosswalk, where the rows are few."""
    asked, rows = sorted(claims), list[tuple[Any, ...]]()
    for start in range(0, len(asked), _VALUES):
        rows += run.effect(partial(_holders, entity=entity, claims=asked[start : start + _VALUES]))
    return {column: _as_holders([row[1:] for row in rows if row[0] == column]) for column in exclusive(entity)}


def _holders(session: Session, *, entity: EntityType, claims: Sequence[Claim]) -> list[tuple[Any, ...]]:
    systems = exclusive(entity)
    columns, values = [column for column, _ in claims], [value for _, value in claims]
    asked = {"domain": entity.name, "columns": columns, "systems": [systems[column] for column in columns], "values": values}
    return fetch(session, _HOLDERS, asked)


# Value by value, whatever the planner believes of the tables
_HOLDERS: LiteralString = (
    "select distinct c.name, r.id, r.columns -> c.name from unnest(%(columns)s::text[], %(systems)s::text[], %(values)s::text[])"
    " c(name, system, value) join identifier_system s on s.code = c.system cross join lateral (select golden_id from xref"
    " where domain = %(domain)s and system_id = s.id and value = c.value and recorded_to is null and not own offset 0) x"
    " cross join lateral (select record_id from link where golden_id = x.golden_id and recorded_to is null offset 0) l"
    " cross join lateral (select id, columns from source_record where id = l.record_id and status = 'active' offset 0) r"
    " where r.columns ? c.name"
)


def _as_holders(rows: Iterable[tuple[Any, ...]]) -> Holders:
    pairs = [(record, value) for record, said in rows for value in ([said] if isinstance(said, str) else said)]
    return Holders(ids_of(record for record, _ in pairs), pa.array([value for _, value in pairs], pa.string()))


def shared(mine: Held, units: Rows, stored: Holders, others: Rows) -> Rows:
    """The rows that claim what a row or a record of another unit has; `units`: of the rows, `others`: of the records."""
    values = pa.concat_arrays([mine.values.combine_chunks(), stored.values])
    codes = np.asarray(values.dictionary_encode().indices.to_numpy(), dtype=np.int64)
    held_by = np.concatenate([units[mine.rows], others])
    size = int(held_by.max(initial=-1)) + 1
    holders = np.unique(codes * size + held_by) // max(1, size)
    claims = codes[: len(mine.rows)]
    return np.unique(mine.rows[np.bincount(holders)[claims] > 1]) if len(claims) else claims
