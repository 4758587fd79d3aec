"""Organisations and facilities: legal forms, abbreviations, acronyms."""

import pytest

from mdm.values.organisation_name import FACILITY_NAME, ORGANISATION_NAME


@pytest.mark.parametrize(
    ("name", "core"),
    [
        ("Acme Medical Supply, Inc.", "acme medical supplies"),
        ("ACME MED SUPPLY CO INC", "acme medical supplies"),
        ("The Acme Group, L.L.C.", "acme group"),
        ("Muster Medizintechnik GmbH & Co. KG", "muster medizintechnik"),
        ("Ejemplo S.A. de C.V.", "ejemplo"),
        ("Przyklad Sp. z o.o.", "przyklad"),
        ("Smith & Sons", "smith sons"),
        ("St. Jude's Devices", "st judes devices"),
        ("BCBS of Ohio", "blue cross blue shield ohio"),
        ("SP", "sp"),
        ("The Company", "company"),
        ("Inc", "inc"),
    ],
)
def test_organisations_are_compared_by_their_core(name: str, core: str) -> None:
    assert ORGANISATION_NAME.features(name)[""] == core


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("St. Mary Mem. Hosp.", "Saint Mary Memorial Hospital"),
        ("Northfield Rgnl Med Ctr", "Northfield Regional Medical Center"),
        ("Gen. Hosp. of Lakeview, Inc", "General Hospital Lakeview"),
        ("Eastside Outpt Rehab", "Eastside Outpatient Rehabilitation"),
    ],
)
def test_abbreviated_facilities_are_the_same_words(left: str, right: str) -> None:
    assert FACILITY_NAME.features(left)["tokens"] == FACILITY_NAME.features(right)["tokens"]


def test_facility_abbreviations_stay_with_facilities() -> None:
    assert "saint" not in ORGANISATION_NAME.features("St Jude Devices")["tokens"]


def test_three_words_make_an_acronym_and_two_do_not() -> None:
    assert ORGANISATION_NAME.features("National Toolbox Alliance")["acronym"] == "nta"
    assert "acronym" not in ORGANISATION_NAME.features("Toolbox Alliance")


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("Northfield Med Ctr Fl 3", "3"),
        ("3rd Floor, Suite 0210", "210 3"),
        ("Nursing Unit 4 West", "4w"),
        ("Nursing Unit W4", "4w"),
        ("Floor 3 West Tower", "3"),
        ("Loading Dock B", "b"),
        ("Medical Office Building II", "2"),
        ("Northfield Medical Center", None),
    ],
)
def test_numbers_and_unit_codes_of_a_place_stand_apart(name: str, numbers: str | None) -> None:
    assert FACILITY_NAME.features(name).get("numbers") == numbers


def test_parts_of_a_programme_differ_in_their_letter() -> None:
    assert ORGANISATION_NAME.features("Medicare Part A")["numbers"] != ORGANISATION_NAME.features("Medicare Part B")["numbers"]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("Harbor Point HMO", ("hmo",)),
        ("Harbor Point Mcare Adv", ("advantage",)),
        ("Harbor Point Workers' Comp", ("workers",)),
        ("Harbor Point", None),
    ],
)
def test_a_payers_line_of_business_stands_apart(name: str, lines: tuple[str, ...] | None) -> None:
    assert ORGANISATION_NAME.features(name).get("lines") == lines


def test_an_acronym_shares_a_mark_with_the_full_name() -> None:
    assert set(FACILITY_NAME.features("NLH")["marks"]) & set(FACILITY_NAME.features("Northfield Lakeside Hospital")["marks"]) == {"nlh"}


def test_neighbouring_words_are_paired_in_any_order_and_a_lone_word_stands_for_itself() -> None:
    assert ORGANISATION_NAME.features("Larkspur Medical Gas")["pairs"] == ("larkspur medical", "gas medical")
    assert ORGANISATION_NAME.features("Larkspur Inc")["pairs"] == ("larkspur",)


def test_dotted_initials_are_one_word() -> None:
    assert ORGANISATION_NAME.features("N.T.A. LLC")[""] == "nta"


def test_unbalanced_brackets_do_no_harm() -> None:
    assert ORGANISATION_NAME.features("XD (Xample, Dickens and Company")["tokens"] == ("dickens", "xample", "xd")


@pytest.mark.parametrize("name", ["UNKNOWN", "n/a", "Misc. Vendor", "ONE-TIME VENDOR", "Test Supplier 3", "zz do not use", "Various"])
def test_stand_ins_are_placeholders(name: str) -> None:
    assert ORGANISATION_NAME.read(name).problem == "placeholder"
