"""Departments, cost centers, accounts: the dictionary of the role, words with two meanings, unit codes."""

import pytest

from mdm.values.department_name import ACCOUNT_NAME, COST_CENTER_NAME, DEPARTMENT_NAME


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Med Surg", "Medical/Surgical"),
        ("M/S", "MEDSURG"),
        ("ED", "Emergency Department"),
        ("E.R.", "Emergency Room"),
        ("A&E", "Emerg Dept"),
        ("ICU", "Intensive Care Unit"),
        ("Surgical ICU", "SICU"),
        ("L&D", "Labor and Delivery"),
        ("PACU", "Recovery Room"),
        ("EVS", "Housekeeping"),
        ("Food & Nutrition", "Dietary"),
        ("SPD", "Central Supply"),
        ("HIM", "Medical Records"),
        ("Cath Lab", "Cardiac Catheterization Laboratory"),
        ("PT", "Physical Therapy"),
        ("Rad Onc", "Radiation Oncology"),
        ("CT Scan", "Computed Tomography"),
        ("Peds", "Pediatrics"),
        ("PM&R", "Physical Medicine and Rehab"),
    ],
)
def test_synonyms_are_the_same_words(left: str, right: str) -> None:
    assert DEPARTMENT_NAME.features(left)["tokens"] == DEPARTMENT_NAME.features(right)["tokens"]


@pytest.mark.parametrize(
    ("name", "core"),
    [
        ("Paramedical Ed.", "paramedical education"),
        ("Fast Track ED", "fast track emergency"),
        ("Pt Transport", "patient transport"),
        ("Outpt PT", "outpatient physical therapy"),
        ("OT Premium", "overtime premium"),
        ("RT Oncology", "radiation oncology"),
        ("RT", "respiratory therapy"),
    ],
)
def test_a_word_with_two_meanings_takes_the_one_its_neighbours_support(name: str, core: str) -> None:
    assert DEPARTMENT_NAME.features(name)[""] == core


@pytest.mark.parametrize(
    ("name", "units"),
    [
        ("4W", ("4w",)),
        ("4 West", ("4w",)),
        ("West 4", ("4w",)),
        ("Med Surg 5 NORTH", ("5n",)),
        ("N5 Telemetry", ("5n",)),
        ("05-N", ("5n",)),
        ("ICU 2", ("2",)),
        ("4 SW", ("4sw",)),
        ("3A Oncology", ("3a",)),
    ],
)
def test_unit_codes_have_one_spelling(name: str, units: tuple[str, ...]) -> None:
    assert DEPARTMENT_NAME.features(name)["units"] == units


def test_units_are_also_words() -> None:
    assert DEPARTMENT_NAME.features("Med Surg 4 West")["tokens"] == ("4w", "medical", "surgical")


@pytest.mark.parametrize("name", ["Lab - East Campus", "Pharmacy", "North Tower"])
def test_a_campus_is_no_unit(name: str) -> None:
    assert "units" not in DEPARTMENT_NAME.features(name)


def test_cost_centers_drop_instructions() -> None:
    assert COST_CENTER_NAME.features("Other General Service (specify)")[""] == "other services"


def test_a_department_called_other_is_a_name() -> None:
    assert DEPARTMENT_NAME.read("Other").is_evidence
    assert DEPARTMENT_NAME.read("TBD").problem == "placeholder"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Depr Exp - Equip", "Depreciation Expense, Equipment"),
        ("A/R - Medicare", "Accounts Receivable Mcare"),
        ("Sal & Wages", "Salaries and Wages"),
        ("Med Supp Exp", "Medical Supplies Expense"),
        ("Accum Depr Bldg", "Accumulated Depreciation - Buildings"),
    ],
)
def test_finance_abbreviations_are_expanded(left: str, right: str) -> None:
    assert ACCOUNT_NAME.features(left)["tokens"] == ACCOUNT_NAME.features(right)["tokens"]
