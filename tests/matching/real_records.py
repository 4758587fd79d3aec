"""Records of the labelled sets, ready to compare or to deliver, and of the demo world for domains that have no such set.

The sets lie in $CONCORD_DATA_DIR, else in ../shared/data beside the project; without them all records come from the demo world.
"""

import os
import tomllib
from functools import lru_cache
from pathlib import Path

from matching.compare import Value
from matching.model import Columns
from mdm.entities import ENTITY_TYPES
from mdm.files import Table, read_table
from mdm.identifier_systems import BY_CODE
from mdm.labelled import Notes, read_records
from mdm.standardise import Delivery, standardise
from mdm.values.kind import ValueType
from mdm.values.text import TEXT
from seed.world import World, build_world

DATA = Path(os.environ.get("CONCORD_DATA_DIR") or Path(__file__).parents[3] / "shared" / "data")
# Reference lists, which have no truth and so are not among the declared sets
_LISTS = {
    "provider": (
        "cms_doctors_clinicians",
        {"full_name": "Provider Name", "specialty": "Primary Specialty", "address_line": "Address", "city": "City/Town", "npi": "NPI"},
    ),
    "cost_center": ("hcris_cost_centers", {"name": "cost_center", "code": "line"}),
}


def real_sets(domain: str, most: int) -> list[list[Columns]]:
    """The sets of a domain, each cut to its first `most` records."""
    found = [_read(domain, files, columns, most) for files, columns in _declared(domain) if all(file.is_file() for file in files)]
    return found or [_of_the_demo_world(domain, most)]


def real_deliveries(name: str, system: str, most: int) -> list[Delivery]:
    """Every record of the first `most` entities of a labelled set, as a system delivers them; none where the sets are not here."""
    listing = DATA / "datasets.toml"
    if not listing.is_file():
        return []
    declared = tomllib.loads(listing.read_text())[name]
    table = read_table(DATA / declared["records"])
    entities = table.column(declared["entity"])
    wanted = set(list(dict.fromkeys(entities))[:most])
    columns = {target: table.column(column) for target, column in declared["columns"].items()}
    rows = [{target: cells[row] for target, cells in columns.items() if cells[row]} for row in range(len(entities))]
    return [
        _delivery(declared["domain"], system, key, row)
        for key, row, entity in zip(table.column(declared["id"]), rows, entities, strict=True)
        if entity in wanted
    ]


def _delivery(domain: str, system: str, key: str, row: dict[str, str]) -> Delivery:
    rules = {rule.name: rule.system for rule in ENTITY_TYPES[domain].identifiers}
    attributes = {name: value for name, value in row.items() if name not in rules}
    return Delivery(system, key, attributes, [(rules[name], value) for name, value in row.items() if name in rules])


def world_deliveries(domain: str, most: int) -> list[Delivery]:
    """Every record of the first `most` entities of a domain of the demo world."""
    world = _world()
    entities = {(one.system, one.key): world.truth[domain, one.system, one.key] for one in world.deliveries if one.domain == domain}
    wanted = set(list(dict.fromkeys(entities.values()))[:most])
    return [one for one in _of(domain) if entities[one.system, one.key] in wanted]


def _of(domain: str) -> list[Delivery]:
    return [Delivery(one.system, one.key, one.attributes, list(one.identifiers)) for one in _world().deliveries if one.domain == domain]


def _declared(domain: str) -> list[tuple[list[Path], dict[str, str]]]:
    listing = DATA / "datasets.toml"
    declared = tomllib.loads(listing.read_text()) if listing.is_file() else {}
    sets = [
        ([DATA / each[side] for side in ("records", "left", "right") if side in each], each["columns"])
        for each in declared.values()
        if each.get("domain") == domain
    ]
    folder, columns = _LISTS.get(domain, ("", {}))
    return sets + ([([DATA / folder / "records.csv.gz"], columns)] if folder else [])


def _read(domain: str, files: list[Path], columns: dict[str, str], most: int) -> list[Columns]:
    each = most // len(files)
    return [record for file in files for record in _records(domain, read_table(file), columns, each)]


def _records(domain: str, table: Table, columns: dict[str, str], most: int) -> list[dict[str, Value]]:
    return read_records(ENTITY_TYPES[domain], Table(table.name, table.header, table.rows[:most]), columns, Notes())


@lru_cache(maxsize=1)
def _world() -> World:
    return build_world(patients=200)


def _of_the_demo_world(domain: str, most: int) -> list[Columns]:
    return [standardise(ENTITY_TYPES[domain], one, _Anybody(), complete=False).columns for one in _of(domain)[:most]]


class _Anybody:
    """Every system delivers."""

    def resolve(self, name: str) -> str:
        return name

    def value_type(self, code: str) -> ValueType:
        return BY_CODE[code].type if code in BY_CODE else TEXT

    def is_source(self, code: str) -> bool:
        return code not in BY_CODE
