"""Groups of new records -> the rows of every table that knows them, as COPY reads them. Pure.

What stands in them is what `mdm.records`, `mdm.resolve` and `mdm.derive` write of the same records.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any, LiteralString
from uuid import UUID

import numpy as np

from matching.score import Scorer, Total
from mdm.copied import copied_day, copied_json, copied_text, copied_texts
from mdm.derive import Holding, as_json, golden_values, holdings
from mdm.entity import EntityType
from mdm.feed import Happening
from mdm.members import Member
from mdm.records import Incoming, row_of
from mdm.systems import SystemRegistry
from mdm.words import as_tsvector, lexemes

# In the order in which references allow it
COLUMNS: Mapping[str, LiteralString] = {
    "source_record": "id, domain, system, key, status, version, hash, clean, columns, keys, valid_from, valid_to",
    "source_record_version": "record_id, version, state, raw, clean, notes, hash, status, valid_from, valid_to, recorded_at",
    "golden_record": "id, domain, status",
    "link": "record_id, golden_id, cause, recorded_from",
    "golden_version": "golden_id, version, values, provenance, status, recorded_from, words",
    "xref": "domain, system_id, value, golden_id, status, own, exclusive, pending, valid_from, valid_to, recorded_from",
    "edge": "low, high, weight, vetoes, model_version",
}

KEY_COLUMNS: LiteralString = "key, record_id"
_KEY_ROW = np.dtype([("columns", ">i2"), ("key_bytes", ">i4"), ("key", ">i8"), ("record_id_bytes", ">i4"), ("record_id", "V16")])


@dataclass(frozen=True, slots=True)
class Golden:
    """A new golden record with its records in order of their names."""

    id: UUID
    rows: Sequence[Incoming]
    members: Sequence[Member]


@dataclass(slots=True)
class Lines:
    """Rows by table, one line each; and what happened."""

    of: dict[str, list[str]] = field(default_factory=lambda: {table: [] for table in COLUMNS})
    happenings: list[Happening] = field(default_factory=list)


def golden(golden_id: UUID, rows: Iterable[Incoming]) -> Golden:
    pairs = sorted(((row.as_member(), row) for row in rows), key=lambda pair: pair[0].name)
    return Golden(golden_id, [row for _, row in pairs], [member for member, _ in pairs])


def lines(entity: EntityType, registry: SystemRegistry, goldens: Sequence[Golden], at: datetime) -> Lines:
    """Everything but crosswalk rows and edges, which ask what others hold; see `xref_lines` and `edge_lines`."""
    found, moment = Lines(), at.isoformat()
    for each in goldens:
        for row in each.rows:
            _add_record(found.of, entity, row, moment)
        _add_golden(found, entity, registry, each, moment)
    return found


def _add_record(of: dict[str, list[str]], entity: EntityType, incoming: Incoming, moment: str) -> None:
    row, record = row_of(incoming), str(incoming.record_id)
    clean = copied_json(row["clean"])
    dates = f"{copied_day(row['valid_from'])}\t{copied_day(row['valid_to'])}"
    said = f"{row['hash']}\t{row['status']}\t{dates}"
    of["source_record"].append(
        f"{record}\t{entity.name}\t{copied_text(row['system'])}\t{copied_text(row['key'])}\t{row['status']}\t1\t{row['hash']}\t{clean}"
        f"\t{copied_json(row['columns'])}\t{{{','.join(map(str, row['keys']))}}}\t{dates}"
    )
    of["source_record_version"].append(
        f"{record}\t1\tapplied\t{copied_json(row['raw'])}\t{clean}\t{copied_json(row['notes'])}\t{said}\t{moment}"
    )


def key_rows(goldens: Iterable[Golden]) -> bytes:
    """The blocking keys of the records as COPY's binary form has rows; in their order: neighbours in the index are written together."""
    records = [row for each in goldens for row in each.rows]
    holders = np.frombuffer(b"".join([row.record_id.bytes for row in records]), _KEY_ROW["record_id"])
    found = np.empty(sum(len(row.keys) for row in records), _KEY_ROW)
    keys = np.fromiter(chain.from_iterable(row.keys for row in records), np.int64, len(found))
    order = np.argsort(keys, kind="stable")
    found["columns"], found["key_bytes"], found["record_id_bytes"] = 2, 8, 16
    found["key"] = keys[order]
    found["record_id"] = np.repeat(holders, [len(row.keys) for row in records])[order]
    return found.tobytes()


def _add_golden(found: Lines, entity: EntityType, registry: SystemRegistry, each: Golden, moment: str) -> None:
    golden_id, of = str(each.id), found.of
    values, provenance = as_json(golden_values(entity, each.members, registry))
    status, words = "active" if any(m.status == "active" for m in each.members) else "retired", as_tsvector(lexemes(entity, values))
    cause = "new" if len(each.rows) == 1 else "edge"
    of["golden_record"].append(f"{golden_id}\t{entity.name}\t{status}")
    of["golden_version"].append(f"{golden_id}\t1\t{copied_json(values)}\t{copied_json(provenance)}\t{status}\t{moment}\t{words}")
    of["link"] += [f"{row.record_id}\t{golden_id}\t{cause}\t{moment}" for row in each.rows]
    found.happenings.append(Happening("golden.created", each.id, {"version": 1}))


def held(entity: EntityType, registry: SystemRegistry, goldens: Iterable[Golden]) -> list[Holding]:
    """The crosswalk rows of these golden records."""
    return [h for each in goldens for h in holdings(entity, registry, each.id, each.members).values()]


def xref_lines(entity: EntityType, rows: Iterable[Mapping[str, Any]], at: datetime) -> list[str]:
    """Crosswalk rows, what is exclusive decided."""
    moment, ids = at.isoformat(), _Ids()
    return [
        f"{entity.name}\t{row['system_id']}\t{copied_text(row['value'])}\t{ids[row['golden_id']]}\t{row['status']}\t{'ft'[row['own']]}"
        f"\t{'ft'[row['exclusive']]}\tf\t{copied_day(row['valid_from'])}\t{copied_day(row['valid_to'])}\t{moment}"
        for row in rows
    ]


class _Ids(dict[UUID, str]):
    """Each id is written out once."""

    def __missing__(self, key: UUID) -> str:
        written = self[key] = str(key)
        return written


def edge_lines(scorer: Scorer, pairs: Mapping[tuple[UUID, UUID], Total]) -> list[str]:
    version = copied_text(scorer.model.version)
    return [f"{low}\t{high}\t{s.weight!r}\t{copied_texts(s.vetoes)}\t{version}" for (low, high), s in pairs.items()]
