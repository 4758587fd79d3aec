"""Graded cases of the CDC's RecordLinker (public, invented persons): conflicts after which the machine never links by itself.

Their verdicts encode a product's policy and some contradict each other, so only what every policy shares is asked for.
"""

import csv
import gzip
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from matching.model import Columns
from matching.score import Scorer
from mdm.entities import ENTITY_TYPES
from mdm.identifier_systems import BY_CODE
from mdm.standardise import Delivery, standardise
from mdm.values.kind import ValueType
from mdm.values.text import TEXT

DATA = Path(os.environ.get("CONCORD_DATA_DIR", Path(__file__).parents[3] / "shared" / "data")) / "cdc_recordlinker_nbs"
PATIENT = ENTITY_TYPES["patient"]
ATTRIBUTES = {
    "given_name": "FIRST",
    "family_name": "LAST",
    "suffix": "SUFFIX",
    "birth_date": "BIRTHDATE",
    "sex": "GENDER",
    "address_line": "ADDRESS",
    "city": "CITY",
    "state": "STATE",
    "postal_code": "ZIP",
}
CASES = ("nbs_test", "expanded_nbs_test", "better_test")

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"the CDC cases are not in {DATA}; CONCORD_DATA_DIR names another folder")


class Registry:
    def resolve(self, name: str) -> str | None:
        return name

    def value_type(self, code: str) -> ValueType:
        return BY_CODE[code].type if code in BY_CODE else TEXT

    def is_source(self, code: str) -> bool:
        return code not in BY_CODE


def rows(name: str) -> list[dict[str, str]]:
    with gzip.open(DATA / f"{name}.csv.gz", "rt", encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def columns(row: Mapping[str, str], key: str) -> Columns:
    attributes = {name: row[column] for name, column in ATTRIBUTES.items() if row[column]}
    delivery = Delivery("nbs", key, attributes, [("us-ssn", row["SSN"])] if row["SSN"] else [])
    return standardise(PATIENT, delivery, Registry(), complete=False).columns


@pytest.fixture(scope="module")
def pairs() -> list[tuple[Columns, Columns]]:
    """Every case beside the record that it is a variant of."""
    seeds = {row["Match Id"]: columns(row, "seed") for row in rows("nbs_seed")}
    return [(columns(row, "case"), seeds[row["Match Id"]]) for name in CASES for row in rows(name) if row["Match Id"] in seeds]


def conflicting(pairs: list[tuple[Columns, Columns]], *names: str) -> Iterator[tuple[Columns, Columns]]:
    for case, seed in pairs:
        if all(name in case and name in seed and case[name] != seed[name] for name in names):
            yield case, seed


def links(case: Columns, seed: Columns) -> bool:
    score = Scorer(PATIENT.model).score(case, seed)
    return score.weight >= PATIENT.model.thresholds.link and not score.vetoes


def test_two_generations_never_link(pairs: list[tuple[Columns, Columns]]) -> None:
    found = list(conflicting(pairs, "suffix"))
    assert found
    assert not any(links(*pair) for pair in found)


def test_another_birth_date_and_another_number_never_link(pairs: list[tuple[Columns, Columns]]) -> None:
    found = list(conflicting(pairs, "birth_date", "ssn"))
    assert found
    assert not any(links(*pair) for pair in found)


def test_an_unchanged_record_links(pairs: list[tuple[Columns, Columns]]) -> None:
    known = ("given_name", "family_name", "birth_date", "ssn")
    found = [(case, seed) for case, seed in pairs if all(name in case and case.get(name) == seed.get(name) for name in known)]
    assert found
    assert sum(links(*pair) for pair in found) >= 0.9 * len(found)


def test_dates_of_two_digit_years_are_read(pairs: list[tuple[Columns, Columns]]) -> None:
    assert sum("birth_date" in seed for _, seed in pairs) >= 0.97 * len(pairs)
