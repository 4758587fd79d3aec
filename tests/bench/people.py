"""Synthetic persons of a region, by number: the same number is the same person at any size, in any process.

Frequencies are those of the United States, roughly: every hundredth person is a Smith, households share an address, a telephone and often a
surname. `known` is the same person as another hospital has them, with the errors of another registration.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import cache
from itertools import accumulate
from random import Random

from mdm.standardise import Delivery

HOME, ELSEWHERE = "ehr-north", "ehr-mercy"
KNOWN_SHARE = 0.3
Person = dict[str, str]


def _words(*lines: str) -> tuple[str, ...]:
    return tuple(word for line in lines for word in line.split())


# Surnames per 100,000 people in the order of the census of 2010, given names per 100,000 of their sex (SSA, births of a century)
_FAMILY = {
    "Smith": 828, "Johnson": 655, "Williams": 551, "Brown": 487, "Jones": 482, "Garcia": 395, "Miller": 393, "Davis": 378,
    "Rodriguez": 371, "Martinez": 359, "Hernandez": 353, "Lopez": 296, "Gonzalez": 285, "Wilson": 271, "Anderson": 266, "Thomas": 256,
    "Taylor": 254, "Moore": 245, "Jackson": 240, "Martin": 238, "Lee": 234, "Perez": 231, "Thompson": 225, "White": 224, "Harris": 211,
    "Sanchez": 207, "Clark": 190, "Ramirez": 188, "Lewis": 180, "Robinson": 179, "Walker": 177, "Young": 164, "Allen": 163, "King": 157,
    "Wright": 155, "Scott": 149, "Torres": 148, "Nguyen": 148, "Hill": 147, "Flores": 146, "Green": 145, "Adams": 144, "Nelson": 143,
    "Baker": 142, "Hall": 138, "Rivera": 132, "Campbell": 130, "Mitchell": 130, "Carter": 128, "Roberts": 127, "O'Brien": 60,
}  # fmt: skip
_MALE = {
    "James": 3300, "John": 3150, "Robert": 3100, "Michael": 3000, "William": 2450, "David": 2150, "Richard": 1700, "Joseph": 1480,
    "Thomas": 1380, "Charles": 1100, "Christopher": 1050, "Daniel": 1010, "Matthew": 840, "Anthony": 720, "Mark": 690, "Donald": 600,
    "Steven": 590, "Andrew": 580, "Paul": 570, "Joshua": 560, "Kenneth": 520, "Kevin": 500, "Brian": 490, "George": 470, "Timothy": 470,
    "Ronald": 450, "Jason": 440, "Edward": 430, "Jose": 420, "Luis": 310, "Juan": 290, "Carlos": 250, "Ethan": 220, "Miguel": 150,
}  # fmt: skip
_FEMALE = {
    "Mary": 2000, "Patricia": 950, "Jennifer": 900, "Linda": 880, "Elizabeth": 850, "Barbara": 850, "Susan": 680, "Jessica": 640,
    "Sarah": 600, "Karen": 600, "Lisa": 590, "Nancy": 570, "Betty": 560, "Sandra": 530, "Margaret": 520, "Ashley": 520, "Kimberly": 510,
    "Emily": 490, "Donna": 480, "Michelle": 480, "Carol": 470, "Amanda": 470, "Melissa": 460, "Deborah": 450, "Stephanie": 440,
    "Maria": 420, "Rebecca": 400, "Laura": 390, "Helen": 350, "Olivia": 340, "Ana": 160, "Guadalupe": 90,
}  # fmt: skip
_BEGIN = _words(
    "Ash Bar Beck Black Brad Bur Cal Car Chad Clay Cole Cran Dal Den Dun East Ed Fair Far Fen Gar Glen Gold Grant Had Hal Har Hay Hol Kel",
    "Ken Lang Law Lin Mal Mar Mer Mon Nor Oak Pem Quin Ral Red Ros San Sel Shel Stan Ster Tal Thorn Tren Van Wal Wed Whit Win Wood Yar",
)
_MIDDLE = _words("a ber den der e en er fer i in ing ken la le ler man mer o on or per ring ro sen ter ton va wen wick")
_FAMILY_END = _words(
    "berg bury by croft dale don es ez field ford gate ham hurst land ley low man mont more ness ski son stead stock ton ville ward well",
    "wood worth",
)
_MALE_END, _FEMALE_END = _words("an el en ian ic in on or us"), _words("a ana ella elle ene ia ika ina issa")
_SHORT = {"James": "Jim", "Robert": "Bob", "William": "Bill", "Richard": "Dick", "Michael": "Mike", "Elizabeth": "Liz", "Patricia": "Pat"}
_STREETS = _words(
    "Main Park Oak Pine Maple Cedar Elm Washington Lake Hill Walnut Spring Ridge Church Willow Mill River Sunset Jackson Lincoln"
)
_KINDS = ("Street", "Avenue", "Road", "Drive", "Lane", "Court")
_AREAS = (413, 508, 617, 774, 781, 978)
_TOWNS_MAX = 400
_TODAY = date(2026, 1, 1)


def person(number: int) -> Person:
    """Everything that HOME knows about a person; about three live at one address."""
    chance, home = Random(number), Random(f"home {number // 3}")  # two streams: what a household shares, and what it does not
    sex = "F" if chance.random() < 0.51 else "M"
    household_name, own_name = _of(home, _families()), _of(chance, _families())
    given = _of(chance, _women() if sex == "F" else _men())
    family = household_name if chance.random() < 0.7 else own_name
    found = {"given_name": given, "family_name": family, "sex": sex, "birth_date": _birth_date(chance), **_address(home)}
    house_phone, own_phone = _phone(home), _phone(chance)
    found["phone"] = house_phone if chance.random() < 0.4 else own_phone
    if chance.random() < 0.6:
        found["middle_name"] = _of(chance, _women() if sex == "F" else _men())
    if chance.random() < 0.5:
        found["email"] = f"{given}.{family.replace(chr(39), '')}{chance.randrange(10_000)}@example.org".lower()
    return found


def identifiers(number: int) -> list[tuple[str, str]]:
    """Three of five have told their social security number; no two persons share one."""
    if number % 5 > 2:
        return []
    # Scattered, and none twice: the factor is a prime that does not divide the size. There is no area 666.
    area, rest = divmod(number * 611_953 % (898 * 98 * 9_998), 98 * 9_998)
    return [("us-ssn", f"{1 + area + (area >= 665):03d}-{1 + rest // 9_998:02d}-{1 + rest % 9_998:04d}")]


def delivered(number: int) -> Delivery:
    return Delivery(HOME, f"{number:08d}", person(number), identifiers(number))


def known(number: int, time: int = 0) -> Delivery:
    """The same person as ELSEWHERE registers them: one to three errors, no identifier half of the time, another key each time."""
    chance = Random(f"known {number} {time}")
    found = person(number)
    for spoil in chance.sample(_ERRORS, chance.choice((1, 1, 2, 2, 3))):
        spoil(found, chance)
    return Delivery(ELSEWHERE, f"M{number}-{time}", found, identifiers(number) if chance.random() < 0.5 else [])


def stream(filled: int, start: int, count: int) -> list[Delivery]:
    """Rows `start` to `start + count` of what arrives where `filled` persons are known: new ones, and three of ten known ones."""
    return [_arriving(filled, number) for number in range(start, start + count)]


def _arriving(filled: int, number: int) -> Delivery:
    if Random(f"arriving {number}").random() < KNOWN_SHARE:
        time, place = divmod(number, filled)
        return known(place * 7_919 % filled, time)
    return delivered(filled + number)


def _of(chance: Random, names: tuple[Sequence[str], Sequence[float]]) -> str:
    return chance.choices(names[0], cum_weights=names[1])[0]


@cache
def _families() -> tuple[Sequence[str], Sequence[float]]:
    return _with_tail(_FAMILY, [f"{a}{b}{c}" for c in _FAMILY_END for b in _MIDDLE for a in _BEGIN], 100_000)


@cache
def _men() -> tuple[Sequence[str], Sequence[float]]:
    return _with_tail(_MALE, [f"{a}{c}" for c in _MALE_END for a in _BEGIN], 62_000)


@cache
def _women() -> tuple[Sequence[str], Sequence[float]]:
    return _with_tail(_FEMALE, [f"{a}{c}" for c in _FEMALE_END for a in _BEGIN], 50_000)


def _with_tail(common: Mapping[str, int], rare: Sequence[str], total: int) -> tuple[Sequence[str], Sequence[float]]:
    """The common names with their own weights; the rest of `total` goes to the rare ones, each rank rarer (Zipf)."""
    shares = [1 / (rank + 60) for rank in range(len(rare))]
    left = (total - sum(common.values())) / sum(shares)
    return [*common, *rare], list(accumulate([*common.values(), *(left * share for share in shares)]))


def _birth_date(chance: Random) -> str:
    age_days = int(365.25 * min(chance.triangular(0, 98, 38), 97))
    day = _TODAY - timedelta(days=1 + age_days)
    return (day.replace(month=1, day=1) if chance.random() < 0.01 else day).isoformat()


def _address(home: Random) -> Person:
    town = int(_TOWNS_MAX * home.random() ** 2)  # a few large towns, many small ones
    street = (
        f"{home.choice(_STREETS)} {home.choice(_KINDS)}"
        if home.random() < 0.4
        else f"{home.choice(_BEGIN)}{home.choice(_FAMILY_END)} {home.choice(_KINDS)}"
    )
    city = f"{_BEGIN[town % 60]}{_FAMILY_END[town // 60 * 7 % 30]}"
    return {
        "address_line": f"{1 + int(2_000 * home.random() ** 2)} {street}",
        "city": city,
        "state": "MA",
        "postal_code": f"{1_001 + town * 4:05d}",
    }


def _phone(chance: Random) -> str:
    return f"{chance.choice(_AREAS)}-{chance.randrange(200, 999)}-{chance.randrange(10_000):04d}"


def _short_name(found: Person, chance: Random) -> None:
    found["given_name"] = _SHORT.get(found["given_name"]) or _mistyped(found["given_name"], chance)


def _mistyped_family(found: Person, chance: Random) -> None:
    found["family_name"] = _mistyped(found["family_name"], chance)


def _mistyped_day(found: Person, chance: Random) -> None:
    found["birth_date"] = found["birth_date"][:8] + f"{chance.randrange(1, 29):02d}"


def _moved(found: Person, chance: Random) -> None:
    found.update(_address(chance))


def _other_phone(found: Person, chance: Random) -> None:
    found["phone"] = _phone(chance)


def _abbreviated(found: Person, chance: Random) -> None:
    del chance
    found["address_line"] = found["address_line"].replace("Street", "St").replace("Avenue", "Ave.").replace("Road", "RD").upper()


def _initial_only(found: Person, chance: Random) -> None:
    del chance
    found["middle_name"] = found.get("middle_name", "A")[0]


def _no_email(found: Person, chance: Random) -> None:
    del chance
    found.pop("email", None)


_ERRORS = (_short_name, _mistyped_family, _mistyped_day, _moved, _other_phone, _abbreviated, _initial_only, _no_email)


def _mistyped(text: str, chance: Random) -> str:
    """Two letters exchanged, one left out, or one doubled."""
    place = chance.randrange(1, max(2, len(text) - 1))
    before, letter, after = text[:place], text[place : place + 1], text[place + 1 :]
    return chance.choice((before[:-1] + letter + before[-1:] + after, before + after, before + letter + letter + after))
