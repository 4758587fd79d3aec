"""Persons as systems deliver them, whom the machine must tell apart or leave to a person. All are invented."""

import pytest

from matching.counting import with_frequencies
from matching.score import Scorer
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


@pytest.mark.parametrize(
    "said", [named("Junior", "Ii"), named("Ana V", "Rivera"), {"full_name": "Ii, Junior"}, {"full_name": "Naosuke Ii"}]
)
def test_what_is_a_name_tells_no_generation(said) -> None:
    assert "suffix" not in columns("patient", "1", said)


def test_the_field_for_the_generation_comes_first() -> None:
    assert columns("patient", "1", named("Orson", "Dunmorrow Jr", suffix="III"))["suffix"] == "iii"


TWINS = [
    (named("Patrick", "Oxenfeld", sex="M", ssn="219-09-1401"), named("Patricia", "Oxenfeld", sex="F", ssn="219-09-1402")),
    (named("Gabriel", "Oxenfeld", sex="M"), named("Gabrielle", "Oxenfeld", sex="F")),
    (named("Alexander", "Oxenfeld", sex="M"), named("Alexandra", "Oxenfeld", sex="F")),
    (named("Samuel", "Oxenfeld", sex="M"), named("Samantha", "Oxenfeld", sex="F")),
    (named("Christian", "Oxenfeld", sex="M"), named("Christina", "Oxenfeld", sex="F")),
    (named("Maria Elena", "Oxenfeld", sex="F"), named("Maria Jose", "Oxenfeld", sex="M")),
    (named("Jada", "Vexholm", sex="F", ssn="219-09-1401"), named("Jade", "Vexholm", sex="F", ssn="418-22-7701")),
    (named("Jada", "Vexholm", sex="F", ssn="219-09-1401"), named("Jade", "Vexholm", sex="F", ssn="219-09-1402")),
    (named("Jada", "Vexholm", sex="F", ssn="219-09-1409"), named("Jade", "Vexholm", sex="F", ssn="219-09-1410")),
    (named("Jada", "Vexholm", sex="F", ssn="219-09-1412"), named("Jade", "Vexholm", sex="F", ssn="219-09-1421")),
    (named("Maria Elena", "Vexholm", sex="F", ssn="219-09-1401"), named("Maria Teresa", "Vexholm", sex="F", ssn="418-22-7701")),
]


@pytest.mark.parametrize(("left", "right"), TWINS)
def test_twins_named_alike_never_link_over_another_sex_or_number(left, right) -> None:
    assert of("patient", {**left, **BORN, **HOME}, {**right, **BORN, **HOME}) == "review"


def test_a_boy_and_a_girl_of_one_birth_never_link_by_name_and_date_alone() -> None:
    assert of("patient", {**named("Patrick", "Oxenfeld", sex="M"), **BORN}, {**named("Patricia", "Oxenfeld", sex="F"), **BORN}) == "review"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (named("Jonathan", "Vexholm", sex="M", ssn="219-09-1401"), named("Jonathon", "Vexholm", sex="M", ssn="219-09-1401")),
        (named("Bill", "Vexholm", sex="M", ssn="219-09-1401"), named("William", "Vexholm", sex="M", ssn="219-09-1401")),
        (named("Jonathan", "Vexholm", sex="M", ssn="219-09-1401"), named("Jonathon", "Vexholm", sex="M", ssn="279-09-1401")),
        (named("Jonathan", "Vexholm", sex="M", ssn="219-09-1401"), named("Jonathon", "Vexholm", sex="M", ssn="291-09-1401")),
        (named("Jonathan", "Vexholm", sex="M", ssn="219-09-1401"), named("Jonathan", "Vexholm", sex="F", ssn="219-09-1401")),
        (named("Maria", "Vexholm", sex="F", ssn="219-09-1401"), named("Maria Elena", "Vexholm", sex="F", ssn="219-09-1401")),
    ],
)
def test_a_slip_in_name_or_number_still_links(left, right) -> None:
    assert of("patient", {**left, **BORN, **HOME}, {**right, **BORN, **HOME}) == "link"


GARCIA = named("Maria", "Garcia", sex="F", birth_date="1962-05-06")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (GARCIA, {**GARCIA, "birth_date": "1962-05-16"}),
        (GARCIA, {**GARCIA, "birth_date": "1962-06-05"}),
        ({**GARCIA, "middle_name": "Ann"}, {**GARCIA, "middle_name": "Ann", "birth_date": "1962-05-16"}),
        ({**GARCIA, "city": "Bellevue"}, {**GARCIA, "city": "Tacoma", "birth_date": "1962-06-05"}),
        (named("John", "Smith", sex="M", birth_date="1981-04-17"), named("John", "Smith", sex="M", birth_date="1981-04-11")),
    ],
)
def test_a_name_and_a_near_birth_date_link_only_with_something_else(left, right) -> None:
    assert of("patient", left, right) == "review"
    for beside in ({"phone": "425-643-7712"}, {"address_line": "4411 Marigold Ct", "city": "Bellevue"}, {"ssn": "219-09-1401"}):
        assert of("patient", {**left, **beside}, {**right, **beside}) == "link"
    assert of("patient", left, {**right, "birth_date": left["birth_date"], "city": left.get("city", "")}) == "link"


def test_once_names_are_counted_a_rare_one_links_with_a_near_birth_date() -> None:
    rare, near = (columns("patient", key, {**GARCIA, "birth_date": day}) for key, day in (("1", "1962-05-06"), ("2", "1962-05-16")))
    model = ENTITY_TYPES["patient"].model
    assert Scorer(model).score(rare, near).capped
    counted = with_frequencies(model, [rare, near, *({"given_name": f"g{n}", "family_name": f"f{n}"} for n in range(500))])
    assert not Scorer(counted).score(rare, near).capped


SCRIPTS = [("محمد", "الأحمد", "أحمد"), ("דוד", "לוי", "יוסף"), ("美玲", "王", "美林")]


@pytest.mark.parametrize(("given", "family", "another"), SCRIPTS)
def test_a_name_in_its_own_script_counts_as_a_latin_one_does(given, family, another) -> None:
    known = {**BORN, "sex": "M"}
    assert of("patient", {**named(given, family), **known}, {**named(given, family), **known}) == "link"
    latin, script = (weight({**named(*name), **known}, {**named(*name), **known}) for name in (("Walter", "Quimby"), (given, family)))
    assert script == pytest.approx(latin, abs=1e-9)
    assert of("patient", {**named(given, family), **known, **HOME}, {**named(another, family), **known, **HOME}) == "review"
    of_the_guarantor = {**known, **HOME, "ssn": "219-09-1401"}
    assert of("patient", {**named(given, family), **of_the_guarantor}, {**named(another, family), **of_the_guarantor}) == "review"


@pytest.mark.parametrize(("given", "family", "another"), SCRIPTS)
def test_a_name_in_its_own_script_says_nothing_beside_a_latin_one(given, family, another) -> None:
    del another
    known = {**BORN, "sex": "M", **HOME}
    evidence = (
        Scorer(ENTITY_TYPES["patient"].model)
        .score(columns("patient", "1", {**named(given, family), **known}), columns("patient", "2", {**named("Walter", "Quimby"), **known}))
        .evidence
    )
    assert [e for e in evidence if e.group in {"person", "name"}] == []
    assert ("given name known", "on both sides") in {(e.comparison, e.level) for e in evidence}


def weight(left: dict[str, str], right: dict[str, str]) -> float:
    return Scorer(ENTITY_TYPES["patient"].model).score(columns("patient", "1", left), columns("patient", "2", right)).weight


def test_providers_are_known_by_names_in_their_own_script() -> None:
    said = {**named("محمد", "الأحمد"), **BORN}
    assert of("provider", said, said) == "link"
    assert of("provider", said, {**said, **named("أحمد", "الأحمد")}) == "review"
