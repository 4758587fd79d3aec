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


def test_dotted_initials_are_one_word() -> None:
    assert ORGANISATION_NAME.features("N.T.A. LLC")[""] == "nta"


def test_unbalanced_brackets_do_no_harm() -> None:
    assert ORGANISATION_NAME.features("XD (Xample, Dickens and Company")["tokens"] == ("dickens", "xample", "xd")


@pytest.mark.parametrize("name", ["UNKNOWN", "n/a", "Misc. Vendor", "ONE-TIME VENDOR", "Test Supplier 3", "zz do not use", "Various"])
def test_stand_ins_are_placeholders(name: str) -> None:
    assert ORGANISATION_NAME.read(name).problem == "placeholder"
