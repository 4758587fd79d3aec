"""Addresses: one standard spelling, their parts, and addresses of nobody."""

import pytest

from mdm.values.address import ADDRESS_LINE, CITY, COUNTRY, POSTAL_CODE, STATE

PARTS = [
    ("123 N Main St Apt 4B", "123", "main", "4b"),
    ("123 North Main Street, #4B", "123", "main", "4b"),
    ("123 Main St 4B", "123", "main", "4b"),
    ("350 W 51st St, 5th Floor", "350", "51", "5"),
    ("350 West Fifth Street Fl 2", "350", "5", "2"),
    ("1 Medical Ctr Dr Bldg 4 Ste 200", "1", "medical center", "4 200"),
    ("One Hospital Plaza", "1", "hospital", None),
    ("PO Box 123", "123", "po box", None),
    ("P.O. BOX 123", "123", "po box", None),
    ("Post Office Box 123", "123", "po box", None),
    ("RR 2 Box 45", "45", "rural route 2", None),
    ("Rural Route 2, Box 45", "45", "rural route 2", None),
    ("100 St Marys Rd", "100", "saint marys", None),
    ("12 Avenue A", "12", "avenue a", None),
    ("9 Park Ave South", "9", "park", None),
    ("4500 US Hwy 61", "4500", "us highway 61", None),
    ("N123W456 Oak Ln", "n123w456", "oak", None),
    ("12-14 Elm Street", "12-14", "elm", None),
    ("0012 Elm St", "12", "elm", None),
    ("12 1/2 Elm St", "12 1/2", "elm", None),
    ("77 Bldg 4 Ste 200", "77", None, "4 200"),
    ("100 Space Park Dr", "100", "space park", None),
    ("Suite 200", None, None, "200"),
    ("#4 Hospital Drive", "4", "hospital", None),
    ("#4", None, None, "4"),
]


@pytest.mark.parametrize(("line", "number", "street", "unit"), PARTS)
def test_a_line_is_taken_apart(line, number, street, unit) -> None:
    features = ADDRESS_LINE.features(line)
    assert (features.get("number"), features.get("street"), features.get("unit")) == (number, street, unit)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("123 N. Main St. Apt. 4B", "123 NORTH MAIN STREET UNIT 4B"),
        ("350 W 51st St 5th Floor", "350 West 51 Street, Floor 5"),
        ("1 Hospital Plz", "One Hospital Plaza"),
        ("P.O. Box 99", "PO BOX #99"),
    ],
)
def test_two_spellings_are_one_address(left: str, right: str) -> None:
    assert ADDRESS_LINE.features(left)[""] == ADDRESS_LINE.features(right)[""]


def test_another_direction_is_another_address_on_the_same_street() -> None:
    north, south = ADDRESS_LINE.features("5 N Main St"), ADDRESS_LINE.features("5 S Main St")
    assert north[""] != south[""]
    assert north["street"] == south["street"]


@pytest.mark.parametrize(
    "line", ["HOMELESS", "Homeless - shelter", "General Delivery", "UNKNOWN", "No fixed address", "N/A", "Bad Address"]
)
def test_an_address_of_nobody_is_a_placeholder(line: str) -> None:
    assert ADDRESS_LINE.read(line).problem == "placeholder"


def test_cities_are_compared_with_their_words_written_out() -> None:
    assert CITY.features("St. Paul") == CITY.features("SAINT PAUL")
    assert CITY.features("Ft Worth") == {"": "fort worth", "words": ("fort", "worth")}


@pytest.mark.parametrize(
    ("raw", "code"), [("ma", "MA"), ("Massachusetts", "MA"), ("N.Y.", "NY"), ("north  carolina", "NC"), ("Ontario", "ONTARIO")]
)
def test_states(raw: str, code: str) -> None:
    assert STATE.read(raw).value == code


@pytest.mark.parametrize(("raw", "code"), [("us", "US"), ("U.S.A.", "US"), ("United States", "US"), ("can", "CA"), ("Narnia", "NARNIA")])
def test_countries(raw: str, code: str) -> None:
    assert COUNTRY.read(raw).value == code


@pytest.mark.parametrize(
    ("raw", "normal"),
    [("02115", "02115"), ("021151234", "02115-1234"), ("02115-1234", "02115-1234"), ("02115 -", "02115"), ("k1a 0b1", "K1A0B1")],
)
def test_postal_codes(raw: str, normal: str) -> None:
    reading = POSTAL_CODE.read(raw)
    assert (reading.value, reading.problem) == (normal, None)


def test_a_lost_zero_is_not_repaired_and_yet_compared() -> None:
    assert POSTAL_CODE.read("2115").value == "2115"
    assert POSTAL_CODE.features("2115") == POSTAL_CODE.features("21151234") == POSTAL_CODE.features("02115")


def test_postal_codes_are_compared_by_their_five_digits() -> None:
    assert POSTAL_CODE.features("02115-1234") == {"": "02115", "area": "021"}


@pytest.mark.parametrize("raw", ["00000", "99999", "99999-9999"])
def test_postal_codes_of_nowhere(raw: str) -> None:
    assert POSTAL_CODE.read(raw).problem == "placeholder"


def test_the_area_of_a_british_code_is_its_outward_part() -> None:
    assert POSTAL_CODE.features("TQ138DF") == {"": "tq138df", "area": "tq13"}
