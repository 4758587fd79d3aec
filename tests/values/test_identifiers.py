"""The test vectors of the identifier rules: what is accepted and in which form, what is flagged and why, what passes and says nothing."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from stdnum.us import ssn as library

from mdm.values import BY_NAME
from mdm.values.ndc import NDC, to_ndc12
from mdm.values.ssn import SSN

ACCEPTED = [
    ("npi", "1234567893", "1234567893"),
    ("npi", "1234-567-893", "1234567893"),
    ("mbi", "1EG4-TE5-MK73", "1EG4TE5MK73"),
    ("mbi", "1eg4te5mk73", "1EG4TE5MK73"),
    ("mbi", "1EG4-TE5-MK72", "1EG4TE5MK72"),  # one digit off: no check digit, so it passes
    ("dea", "AP5836727", "AP5836727"),
    ("dea", "bb1388568", "BB1388568"),
    ("dea", "F91234563", "F91234563"),
    ("ein", "91-1144442", "911144442"),
    ("gtin", "614141123452", "00614141123452"),
    ("gtin", "4006381333931", "04006381333931"),
    ("gtin", "96385074", "00000096385074"),
    ("gtin", "10614141123459", "10614141123459"),
    ("gln", "0614141000012", "0614141000012"),
    ("hibcc", "+A123BJC5D6E71G", "+A123BJC5D6E71G"),
    ("hibcc", "+A123AB10011 ", "+A123AB10011 "),
    ("hibcc", "+A123AB10001.", "+A123AB10001."),
    ("hibcc", "+A123AB10021$", "+A123AB10021$"),
    ("hibcc", "+A123AB10031/", "+A123AB10031/"),
    ("hibcc", "+A123AB10051%", "+A123AB10051%"),
    ("udi_di", "(01)00614141123452(17)260131(10)A1", "00614141123452"),
    ("udi_di", "0100614141123452172601311012", "00614141123452"),
    ("udi_di", "614141123452", "00614141123452"),
    ("udi_di", "+A123BJC5D6E71G", "A123BJC5D6E71"),
    ("udi_di", "+A123AB10011 ", "A123AB10011"),
    ("udi_di", "=/A9999XYZ100T0944=,000025", "A9999XYZ100T0944"),
    ("ndc", "0002-7597-01", "00002759701"),
    ("ndc", "50242-040-62", "50242004062"),
    ("ndc", "60575-4112-1", "60575411201"),
    ("ndc", "000002-7597-01", "00002759701"),
    ("ndc", "N400002759701", "00002759701"),
    ("lei", "213800KUD8LAJWSQ9D15", "213800KUD8LAJWSQ9D15"),
    ("uei", "ABC123DEF456", "ABC123DEF456"),  # shape is right, the checksum is not public
    ("ccn", "05E012", "05E012"),
    ("ccn", "05-e012", "05E012"),
    ("clia", "05d0123456", "05D0123456"),
    ("naic", "01234", "01234"),
    ("taxonomy", "207r00000x", "207R00000X"),
    ("hcpcs", "a4550", "A4550"),
    ("unspsc", "42142500", "42142500"),
    ("duns", "15-048-3782", "150483782"),
    ("cage", "1abc5", "1ABC5"),
    ("payer_id", " 00123 ", "00123"),
    ("part_number", "ab-12/3.4", "AB-12/3.4"),
    ("licence", "md-0123456", "MD0123456"),
    ("member_id", "xyz 0123-01", "XYZ 0123-01"),
    ("code", "006120", "006120"),
]

FLAGGED = [
    ("npi", "1234567894", "check_digit"),
    ("npi", "9999999995", "format"),
    ("npi", "0123456789", "format"),
    ("npi", "1111111112", "placeholder"),
    ("npi", "1234567890", "placeholder"),
    ("mbi", "1SG4-TE5-MK73", "format"),
    ("mbi", "0EG4-TE5-MK73", "format"),
    ("mbi", "1EGO-TE5-MK73", "format"),
    ("dea", "AP5836728", "check_digit"),
    ("dea", "BB1388567", "check_digit"),
    ("ein", "00-1234567", "range"),
    ("ein", "07-1234567", "range"),
    ("ein", "12-3456789", "placeholder"),
    ("itin", "999-99-9999", "placeholder"),
    ("itin", "123-45-6780", "range"),
    ("gtin", "614141123453", "check_digit"),
    ("gtin", "4006381333932", "check_digit"),
    ("gln", "0614141000013", "check_digit"),
    ("hibcc", "+A123BJC5D6E71F", "check_digit"),
    ("hibcc", "+A123AB10011", "check_digit"),  # the check character was a blank, and somebody trimmed it
    ("udi_di", "+A123BJC5D6E71F", "check_digit"),
    ("udi_di", "(01)00614141123453", "check_digit"),
    ("ndc", "0002759701", "ambiguous"),
    ("lei", "213800KUD8LAJWSQ9D16", "check_digit"),
    ("unspsc", "01010101", "range"),
    ("gtin", "00000000000000", "placeholder"),
    ("payer_id", "99999", "placeholder"),
    ("code", "n/a", "placeholder"),
    ("part_number", "N/A", "placeholder"),
    ("member_id", "00000000", "placeholder"),
]

NOT_UNDERSTOOD = [
    ("npi", "123456789"),
    ("npi", "١٢٣٤٥٦٧٨٩٣"),  # digits of another script
    ("mbi", "1EG4-TE5-MK7"),
    ("dea", "A15836727"),
    ("gln", "614141000012"),
    ("gtin", "123456789"),
    ("uei", "0BC123DEF456"),
    ("uei", "OBC123DEF456"),
    ("uei", "ABI123DEF456"),
    ("uei", "A123456789BC"),
    ("ccn", "5.0E+12"),
    ("ccn", "50000000000000"),
    ("ndc", "0002-7597"),
    ("part_number", "-/."),
    ("naic", "1234"),
    ("taxonomy", "207R00000"),
]


@pytest.mark.parametrize(("kind", "raw", "normal"), ACCEPTED)
def test_accepted_in_normal_form(kind: str, raw: str, normal: str) -> None:
    reading = BY_NAME[kind].read(raw)
    assert (reading.value, reading.problem) == (normal, None)


@pytest.mark.parametrize(("kind", "raw", "problem"), FLAGGED)
def test_flagged_and_kept(kind: str, raw: str, problem: str) -> None:
    reading = BY_NAME[kind].read(raw)
    assert reading.problem == problem
    assert reading.value is not None
    assert not reading.is_evidence
    assert reading.raw == raw


@pytest.mark.parametrize(("kind", "raw"), NOT_UNDERSTOOD)
def test_not_understood(kind: str, raw: str) -> None:
    reading = BY_NAME[kind].read(raw)
    assert (reading.value, reading.problem) == (None, "not_understood")


def ssn(area: int, group: int, serial: int) -> str:
    """Built at run time: no number that looks real stands in the repository."""
    return f"{area:03}-{group:02}-{serial:04}"


def test_a_plausible_ssn_is_evidence() -> None:
    assert BY_NAME["ssn"].read(ssn(899, 99, 1)).is_evidence


@pytest.mark.parametrize("parts", [(0, 12, 3456), (666, 12, 3456), (900, 12, 3456), (987, 12, 3456), (123, 0, 4567), (123, 45, 0)])
def test_impossible_ssns_are_out_of_range(parts: tuple[int, int, int]) -> None:
    assert BY_NAME["ssn"].read(ssn(*parts)).problem == "range"


@pytest.mark.parametrize(
    "parts", [(78, 5, 1120), (219, 9, 9999), (457, 55, 5462), (123, 45, 6789), (111, 11, 1111), (0, 0, 0), (999, 99, 9999)]
)
def test_known_fake_ssns_are_placeholders(parts: tuple[int, int, int]) -> None:
    assert BY_NAME["ssn"].read(ssn(*parts)).problem == "placeholder"


def test_an_ssn_shows_its_last_four_digits_only() -> None:
    value = BY_NAME["ssn"].read(ssn(899, 99, 1234)).value or ""
    assert BY_NAME["ssn"].mask(value) == "•••••1234"


def test_an_itin_is_no_ssn_and_the_other_way_round() -> None:
    number = ssn(900, 70, 1)
    assert BY_NAME["itin"].read(number).is_evidence
    assert not BY_NAME["ssn"].read(number).is_evidence
    assert not BY_NAME["itin"].read(ssn(899, 70, 1)).is_evidence


def test_ndc_of_twelve_digits_pads_the_labeler() -> None:
    assert to_ndc12("00002759701") == "000002-7597-01"


def test_an_ambiguous_ndc_has_no_twelve_digits() -> None:
    assert to_ndc12("0002759701") is None


def test_one_drug_in_three_notations_is_one_code() -> None:
    assert len({NDC.read(raw).value for raw in ("0002-7597-01", "00002-7597-01", "00002759701")}) == 1


def test_part_numbers_are_compared_without_separators() -> None:
    assert BY_NAME["part_number"].features("AB-12/3.4") == {"": "ab1234"}


def test_the_letter_o_and_zero_stay_different_in_part_numbers() -> None:
    part_number = BY_NAME["part_number"]
    assert part_number.features("O12") != part_number.features("012")


def test_a_code_is_also_compared_without_leading_zeros() -> None:
    assert BY_NAME["code"].features("006120") == {"": "006120", "bare": "6120"}
    assert BY_NAME["code"].features("000")["bare"] == "0"


def test_member_ids_are_compared_without_separators() -> None:
    assert BY_NAME["member_id"].features("XYZ 0123-01") == {"": "xyz012301"}


@given(st.integers(0, 999), st.integers(0, 99), st.integers(0, 9999))
@example(78, 5, 1120)
@example(457, 55, 5462)
@example(219, 9, 9999)
@example(666, 1, 1)
@example(900, 1, 1)
@example(1, 0, 1)
@example(1, 1, 0)
def test_a_social_security_number_is_assignable_as_the_library_has_it(area: int, group: int, serial: int) -> None:
    value = f"{area:03d}{group:02d}{serial:04d}"
    assert (SSN.validate(value) is None) == library.is_valid(value)
