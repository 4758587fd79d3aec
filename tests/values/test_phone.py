"""Phones: E.164 with extension, numbers that cannot be, and the fast path's equality with the library."""

import random

import phonenumbers
import pytest

from mdm.values.phone import PHONE


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ("617-253-1000 x12", "+16172531000;ext=12"),
        ("(617) 253-1000", "+16172531000"),
        ("1 617 253 1000", "+16172531000"),
        ("+1.617.253.1000", "+16172531000"),
        ("6172531000", "+16172531000"),
        ("617/253-1000 ext. 12", "+16172531000;ext=12"),
        ("+16172531000;ext=12", "+16172531000;ext=12"),
        ("+44 20 7946 0018", "+442079460018"),
        ("+49 30 901820", "+4930901820"),
    ],
)
def test_one_number_has_one_form(raw: str, normal: str) -> None:
    reading = PHONE.read(raw)
    assert (reading.value, reading.problem) == (normal, None)


@pytest.mark.parametrize(
    "raw", ["000-000-0000", "999-999-9999", "555-555-5555", "212-555-0100", "212-555-1212", "123-456-7890", "617-000-0000"]
)
def test_numbers_of_nobody_are_placeholders(raw: str) -> None:
    assert PHONE.read(raw).problem == "placeholder"


@pytest.mark.parametrize("raw", ["none", "617", "617-253-10000000", "n/a", "+999 1234567"])
def test_not_understood(raw: str) -> None:
    assert PHONE.read(raw).value is None


def test_a_local_number_that_cannot_be_is_kept_and_no_evidence() -> None:
    reading = PHONE.read("555-1234")
    assert (reading.value, reading.problem) == ("5551234", "format")


def test_an_area_code_that_does_not_exist_is_out_of_range() -> None:
    assert PHONE.read("999-253-1000").problem == "range"


def test_all_notations_share_the_compared_digits() -> None:
    assert PHONE.features("+16172531000;ext=12") == PHONE.features("+16172531000") == {"": "6172531000", "local": "2531000"}


def test_a_local_number_is_compared_by_its_local_part_alone() -> None:
    assert PHONE.read("253-1000").problem is None
    assert PHONE.features("2531000") == {"local": "2531000"}


def test_only_the_last_two_digits_are_shown() -> None:
    assert PHONE.mask("+16172531000;ext=12") == "••••••••••00"


def test_people_read_the_local_form() -> None:
    assert PHONE.display("+16172531000;ext=12") == "(617) 253-1000 ext. 12"


def test_the_fast_path_agrees_with_the_library() -> None:
    numbers = random.Random(7)  # the same numbers in each run
    for _ in range(400):
        text = f"{numbers.randrange(200, 1000)}{numbers.randrange(1000):03}{numbers.randrange(10_000):04}"
        reading = PHONE.read(text)
        if reading.problem != "placeholder":
            assert reading.is_evidence == phonenumbers.is_valid_number(phonenumbers.parse(text, "US"))


def test_a_number_without_its_country_is_compared_as_it_was_typed() -> None:
    assert [PHONE.told(PHONE.read(raw)) for raw in ("0801 980 712", "801980712")] == [{"": "801980712"}] * 2
    assert PHONE.told(PHONE.read("000 000 0000")) == PHONE.told(PHONE.read("98765")) == {}
