"""Identifiers and contact data of the demo world: valid by their check digits, taken from ranges that nobody has been given.

National provider identifiers start with 2 (allowed by 45 CFR 162.406, none issued so far); GS1 numbers start with 952, the prefix
that GS1 keeps for demonstrations.
"""

from dataclasses import dataclass
from random import Random

from stdnum import ean, luhn

from seed.vocabulary import rows, table, words

GS1_DEMONSTRATION = "952"
NPI_CARD_PREFIX = "80840"
EXCHANGES = tuple(n for n in range(220, 990) if n != 555 and n % 100 != 11)
PACKAGING_INDICATOR = {"EA": "0", "PR": "0", "PK": "1", "BX": "2", "CS": "5"}


@dataclass(frozen=True, slots=True)
class Address:
    """Where something is, or where its mail goes."""

    line: str
    city: str
    state: str
    postal_code: str
    line_2: str | None = None


def scattered(index: int, digits: int) -> str:
    """A number of so many digits that does not betray its index; distinct indexes give distinct numbers."""
    return f"{(index * 6_180_339_887 + 2_718_281_829) % 10**digits:0{digits}}"


def local_keys(rng: Random, count: int, form: str = "{:08d}", low: int = 1_000, high: int = 900_000) -> list[str]:
    """Distinct local keys in random order, so that neither key nor order betrays what belongs together."""
    return [form.format(number) for number in rng.sample(range(low, high), count)]


def npi(index: int) -> str:
    body = "2" + scattered(index, 8)
    return body + str(luhn.calc_check_digit(NPI_CARD_PREFIX + body))


def npi_is_valid(value: str) -> bool:
    return len(value) == 10 and value[0] in "12" and bool(luhn.is_valid(NPI_CARD_PREFIX + value))


def dea(index: int, family_name: str) -> str:
    """A DEA number: registrant type, initial of the surname, six digits and their check digit."""
    digits = scattered(index, 6)
    total = sum(map(int, digits[0::2])) + 2 * sum(map(int, digits[1::2]))
    return f"F{family_name[0].upper()}{digits}{total % 10}"


def gtin(company: int, item: int, unit: str) -> str:
    """The 14 digits of one packaging level; the eaches' number without its leading zero is an EAN-13."""
    body = PACKAGING_INDICATOR[unit] + GS1_DEMONSTRATION + f"{company:04d}{item:05d}"
    return body + str(ean.calc_check_digit(body))


def gln(index: int) -> str:
    body = GS1_DEMONSTRATION + f"{index:09d}"
    return body + str(ean.calc_check_digit(body))


def ein(index: int) -> str:
    number = scattered(index, 7)
    return f"{(20, 26, 45, 46, 82, 84)[index % 6]}-{number}"


def phone(rng: Random, area: str) -> str:
    """Ten digits; never in the exchange 555, whose numbers are placeholders."""
    return f"{area}{rng.choice(EXCHANGES)}{rng.randrange(1000, 9900)}"


def street_address(rng: Random) -> str:
    return f"{rng.randrange(2, 2400)} {rng.choice(words('places', 'streets'))} {rng.choice(words('places', 'street_types'))}"


def address_in(rng: Random, circle: str) -> tuple[Address, str]:
    """A made-up address in one of the listed cities, and the city's telephone area."""
    city, state, postal_code, area = rng.choice(rows("places", circle))
    return Address(street_address(rng), city, state, postal_code), area


def post_box_in(rng: Random, circle: str) -> tuple[Address, str]:
    city, state, postal_code, area = rng.choice(rows("places", circle))
    return Address(f"PO Box {rng.randrange(100, 99_000)}", city, state, postal_code), area


def area_of(city: str) -> str:
    """The telephone area of a listed city."""
    return next(row[3] for row in rows("places", "national") + rows("places", "local") if row[0] == city)


def short_streets() -> dict[str, str]:
    return table("places", "street_abbreviations")
