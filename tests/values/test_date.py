"""Dates: their precision is kept, impossible ones are not understood, known stand-ins are placeholders."""

from datetime import UTC, datetime

import pytest

from mdm.values.date import DATE


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ("1980", "1980"),
        ("1980-03", "1980-03"),
        ("198003", "1980-03"),
        ("03/1980", "1980-03"),
        ("1980-03-12", "1980-03-12"),
        ("1980/3/12", "1980-03-12"),
        ("19800312", "1980-03-12"),
        ("19800312103000-0500", "1980-03-12"),
        ("198003121030", "1980-03-12"),
        ("1980-03-12T10:30:00Z", "1980-03-12"),
        ("3/12/1980", "1980-03-12"),
        ("3/12/1980 0:00", "1980-03-12"),
        ("3/12/80", "1980-03-12"),
        ("03-12-1980", "1980-03-12"),
        ("12-Mar-1980", "1980-03-12"),
        ("12MAR1980", "1980-03-12"),
        ("12-Mar-80", "1980-03-12"),
        ("March 12, 1980", "1980-03-12"),
        ("Mar 12th 1980", "1980-03-12"),
    ],
)
def test_notations(raw: str, normal: str) -> None:
    reading = DATE.read(raw)
    assert (reading.value, reading.problem) == (normal, None)


@pytest.mark.parametrize(
    "raw", ["1980-02-30", "1980-13", "31/12/1980", "0000-01-01", "19801332", "12-Foo-1980", "soon", "80", "1980-00-00"]
)
def test_impossible_dates_are_not_understood(raw: str) -> None:
    assert DATE.read(raw).value is None


@pytest.mark.parametrize("raw", ["1900-01-01", "1899-12-30", "1/1/1901", "18000101", "9999-12-31", "0001-01-01", "1900"])
def test_stand_ins_are_placeholders(raw: str) -> None:
    assert DATE.read(raw).problem == "placeholder"


@pytest.mark.parametrize("raw", ["1849-12-31", "2101-01-01", "0180-05-05"])
def test_dates_that_nobody_means_are_out_of_range(raw: str) -> None:
    assert DATE.read(raw).problem == "range"


def test_a_year_of_two_digits_is_never_in_the_future() -> None:
    this_year = datetime.now(tz=UTC).year
    for year in range(100):
        value = DATE.read(f"1/2/{year:02}").value or ""
        assert this_year - 100 < int(value[:4]) <= this_year


def test_a_full_date_has_all_columns() -> None:
    parts = {"": "19800312", "year": "1980", "month_day": "0312", "year_month": "198003"}
    assert DATE.features("1980-03-12") == {**parts, "generation": ("a141", "b141")}


def test_a_partial_date_has_only_what_it_says() -> None:
    generation = {"generation": ("a141", "b141")}
    assert DATE.features("1980") == {"year": "1980", **generation}
    assert DATE.features("1980-03") == {"year": "1980", "year_month": "198003", **generation}


def test_the_first_of_january_may_stand_for_the_year() -> None:
    assert DATE.features("1980-01-01")["new_year"] == "1980"
    assert "new_year" not in DATE.features("1980-01-02")


@pytest.mark.parametrize("year", range(1950, 1980))
def test_brothers_may_share_a_generation_and_parent_and_child_never_do(year: int) -> None:
    spans = [set(DATE.features(str(born))["generation"]) for born in (year, year + 7, year + 14)]
    assert spans[0] & spans[1]
    assert not spans[0] & spans[2]


@pytest.mark.parametrize(
    ("raw", "digits"),
    [("1980-03-52", "19800352"), ("19801332", "19801332"), ("31/12/1980", "19803112"), ("1673-08-01", "16730801")],
)
def test_a_date_that_cannot_be_is_compared_as_it_was_typed(raw: str, digits: str) -> None:
    told = DATE.told(DATE.read(raw))
    assert (told[""], told["year"]) == (digits, digits[:4])
    assert "generation" not in told


@pytest.mark.parametrize("raw", ["1900-01-01", "soon", "0000-01-01", ""])
def test_what_is_no_date_tells_nothing(raw: str) -> None:
    assert DATE.told(DATE.read(raw)) == {}


def test_zeros_for_month_and_day_are_unknown() -> None:
    assert DATE.told(DATE.read("1980-00-00")) == {"year": "1980"}


def test_a_masked_date_is_its_year() -> None:
    assert DATE.mask("1980-03-12") == "1980"
