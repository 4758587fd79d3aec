"""Persons as systems deliver them, whom the machine must tell apart or leave to a person. All are invented."""

import pytest

from mdm.standardise import Delivery
from tests.entities.test_every_domain import standard
from tests.entities.test_people_cases import ENTITY_TYPES, outcome

HOME = {"address_line": "4411 Marigold Ct", "city": "Bellevue", "postal_code": "98004", "phone": "425-643-7712"}
BORN = {"birth_date": "1981-04-17"}


def columns(domain: str, key: str, said: dict[str, str]):
    """The comparison columns of a delivery; `ssn` and `npi` are identifiers."""
    systems = {"ssn": "us-ssn", "npi": "us-npi"}
    identifiers = [(systems[name], value) for name, value in said.items() if name in systems]
    attributes = {name: value for name, value in said.items() if name not in systems}
    return standard(ENTITY_TYPES[domain], Delivery("ehr-north", key, attributes, identifiers)).columns


def of(domain: str, left: dict[str, str], right: dict[str, str]) -> str:
    found = outcome(domain, columns(domain, "1", left), columns(domain, "2", right))
    assert found == outcome(domain, columns(domain, "2", right), columns(domain, "1", left))
    return found


def named(given: str, family: str, **further: str) -> dict[str, str]:
    return {"given_name": given, "family_name": family, **further}


@pytest.mark.parametrize("domain", ["patient", "provider"])
@pytest.mark.parametrize(
    ("left", "right"),
    [
        (named("Walter", "Dunmorrow Jr."), named("Walter", "Dunmorrow", suffix="SR")),
        (named("Walter", "Dunmorrow Jr"), named("Walter", "Dunmorrow Sr")),
        (named("Orson Jr", "Dunmorrow"), named("Orson Sr", "Dunmorrow")),
        (named("Orson", "Dunmorrow II"), named("Orson", "Dunmorrow III")),
        (named("Orson", "Dunmorrow 2nd"), named("Orson III", "Dunmorrow")),
        ({"full_name": "Garcia Jr, Jose"}, {"full_name": "Garcia Sr, Jose"}),
        ({"full_name": "Jose Garcia, Jr."}, named("Jose", "Garcia", suffix="Sr")),
        ({"full_name": "Garcia, Jose II"}, {"full_name": "Jose Garcia III"}),
    ],
)
def test_a_generation_told_by_a_name_never_links_to_another(domain, left, right) -> None:
    known = {**BORN, "sex": "M", **HOME}
    assert of(domain, {**left, **known}, {**right, **known}) == "review"
    assert of(domain, {**left, **known}, {**left, **known}) == "link"


@pytest.mark.parametrize("domain", ["patient", "provider"])
def test_a_generation_on_one_side_says_nothing(domain) -> None:
    known = {**BORN, "sex": "M", **HOME}
    assert of(domain, {**named("Orson Jr", "Dunmorrow"), **known}, {**named("Orson", "Dunmorrow"), **known}) == "link"
    assert of(domain, {**named("Orson", "Dunmorrow Jr"), **known}, {**named("Orson", "Dunmorrow", suffix="JR"), **known}) == "link"


@pytest.mark.parametrize("said", [named("Junior", "Ii"), named("Ana V", "Rivera"), {"full_name": "Ii, Junior"}, {"full_name": "Naosuke Ii"}])
def test_what_is_a_name_tells_no_generation(said) -> None:
    assert "suffix" not in columns("patient", "1", said)


def test_the_field_for_the_generation_comes_first() -> None:
    assert columns("patient", "1", named("Orson", "Dunmorrow Jr", suffix="III"))["suffix"] == "iii"
