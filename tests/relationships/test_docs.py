"""The worked examples of docs/relationships.md, run as they stand there."""

import re
from datetime import date, timedelta
from pathlib import Path

import pytest

from mdm.db import fetch
from tests.relationships.conftest import edges

TEXT = (Path(__file__).parents[2] / "docs/relationships.md").read_text()
ROWS = re.findall(r"^\| `CC-1` \| (.+?) \| (.+?) \|$", TEXT, re.MULTILINE)
ASKED = re.findall(r"^\| `as_of=([0-9-]+)(&known_at=)?`[^|]*\| `(CC-[0-9])` \|$", TEXT, re.MULTILINE)
SECOND = {
    "`CC-2`": {"said": [("charges_to", "CC-2")]},
    "`CC-2` from 2026-07-01": {"said": [("charges_to", "CC-2", date(2026, 7, 1))]},
    "nothing about relationships": {"name": "Cardiology Unit D1"},
    "`[]`": {"relationships": ()},
}
DAYS = [date(2026, 1, 1) + timedelta(days=n) for n in range(0, 366, 5)] + [date(2026, 6, 30), date(2026, 7, 1)]


def expected(words, day):
    """What the last column says of a day."""
    if words == "nothing":
        return None
    if words.endswith("on every day"):
        return words.split("`")[1]
    until = date.fromisoformat(re.search(r"until ([0-9-]+)", words)[1])
    return words.split("`")[1 if day <= until else 3]


def on(found, day):
    held = [e[3] for e in found if (e[4] or date.min) <= day <= (e[5] or date.max)]
    assert len(held) < 2
    return held[0] if held else None


def test_all_examples_are_read():
    assert {then for then, _ in ROWS} == set(SECOND)
    assert len(ASKED) == 3


@pytest.mark.parametrize(("then", "words"), ROWS)
def test_what_a_list_means(clean_database, center, department, then, words):
    names = {key: center(key) for key in ("CC-1", "CC-2")} | {None: None}
    department("D1", ("charges_to", "CC-1"))
    second = dict(SECOND[then])
    department("D1", *second.pop("said", ()), **second)
    for day in DAYS:
        assert on(edges(clean_database), day) == names[expected(words, day)]


def test_two_times(clean_database, center, department):
    names = {key: center(key) for key in ("CC-1", "CC-2")}
    department("D1", ("charges_to", "CC-1"))
    with clean_database.unit_of_work() as session:
        june = fetch(session, "select clock_timestamp()")[0][0]
    department("D1", *SECOND["`CC-2` from 2026-07-01"]["said"])
    for day, known, answer in ASKED:
        assert on(edges(clean_database, known_at=june if known else None), date.fromisoformat(day)) == names[answer]
