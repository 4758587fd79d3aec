"""Pairs of patients and of providers whose outcome the declared weights must get right on the first day. All persons are invented."""

from collections.abc import Mapping

import pytest

from matching.compare import Value
from matching.score import Score, Scorer
from mdm.entities import ENTITY_TYPES
from mdm.values.date import DATE

HOME: dict[str, Value] = {
    "address_line.number": "14",
    "address_line.street": "wren hollow",
    "postal_code": "02139",
    "postal_code.area": "021",
    "city": "cambridge",
    "phone": ("6172530101",),
}


def born(day: str) -> dict[str, Value]:
    return {f"birth_date.{feature}".rstrip("."): value for feature, value in DATE.features(f"{day[:4]}-{day[4:6]}-{day[6:]}").items()}


def named(given: str, family: str) -> dict[str, Value]:
    sounds = {"given_name.sound": given[:3], "family_name.sound": family[:3]}
    return {"given_name": given, "given_name.nicknames": (given,), "family_name": family, **sounds}


ANNA: dict[str, Value] = {**named("annika", "vesterholm"), **born("19840317"), "sex": "f", "keys": ("ehr-north:1",), "system": "ehr-north"}


def outcome(domain: str, left: Mapping[str, Value], right: Mapping[str, Value]) -> str:
    """What the machine may do with a pair: link, review or keep apart."""
    model = ENTITY_TYPES[domain].model
    score = Scorer(model).score(left, right)
    if score.weight >= model.thresholds.link:
        return "review" if score.vetoes else "link"
    return "review" if score.weight >= model.thresholds.review else "apart"


def score_of(left: Mapping[str, Value], right: Mapping[str, Value]) -> Score:
    return Scorer(ENTITY_TYPES["patient"].model).score(left, right)


def other(base: Mapping[str, Value], **changes: Value) -> dict[str, Value]:
    return {**base, "keys": ("ehr-mercy:9",), "system": "ehr-mercy", **{name.replace("__", "."): value for name, value in changes.items()}}


@pytest.mark.parametrize(
    ("why", "left", "right"),
    [
        ("same name and birth date", ANNA, other(ANNA)),
        ("one letter wrong", ANNA, other(ANNA, given_name="anika", given_name__nicknames=("anika",))),
        ("names exchanged", ANNA, other(ANNA, given_name="vesterholm", family_name="annika")),
        ("married since", {**ANNA, **HOME}, other({**ANNA, **HOME}, family_name="orlov", family_name__sound="orl")),
        ("former name known", ANNA, other(ANNA, family_name="orlov", family_name__sound="orl", previous_family_name=("vesterholm",))),
        (
            "another given name and one national identifier",
            {**ANNA, **HOME, "national_id": ("4711",)},
            other({**ANNA, **HOME, **named("solveig", "vesterholm")}, national_id=("4711",)),
        ),
        ("birth date one digit off", {**ANNA, **HOME}, other({**ANNA, **HOME, **born("19840318")})),
        (
            "billing names the chart's number",
            {**named("annika", "vesterholm"), "keys": ("ehr-north:1",)},
            other(ANNA, keys=("b:7", "ehr-north:1")),
        ),
    ],
)
def test_the_same_patient_links(why: str, left: Mapping[str, Value], right: Mapping[str, Value]) -> None:
    assert outcome("patient", left, right) == "link", why


TWIN = other({**ANNA, **HOME}, email="family@home.example", member_id=("m1",), mothers_maiden_name="quist")

OTHER_TWIN: dict[str, Value] = {**named("solveig", "vesterholm"), "keys": ("ehr-north:2",)}
ROBERT: dict[str, Value] = {**HOME, **named("robert", "vesterholm"), "sex": "m"}
ROBERTA: dict[str, Value] = {**HOME, **named("roberta", "vesterholm"), "sex": "f"}
NEWBORN = {column: value for column, value in TWIN.items() if not column.startswith("given_name")}


@pytest.mark.parametrize(
    ("why", "left", "right"),
    [
        ("twins of one household", TWIN, {**TWIN, **named("solveig", "vesterholm"), "keys": ("ehr-north:2",)}),
        ("twins without a name yet", NEWBORN, {**NEWBORN, "keys": ("ehr-north:2",)}),
        ("twins with numbers in a row", {**TWIN, "national_id": ("4711001",)}, {**TWIN, **OTHER_TWIN, "national_id": ("4711002",)}),
        ("father and son of one email", {**TWIN, "suffix": "sr"}, {**TWIN, **born("20090902"), "keys": ("ehr-north:2",)}),
        ("a twin without a name yet", TWIN, {**NEWBORN, "keys": ("ehr-north:2",)}),
        ("a boy and a girl of one sound", {**ANNA, **ROBERT}, {**ANNA, **ROBERTA, "keys": ("ehr-north:2",)}),
        ("father and son", {**ANNA, **HOME}, other({**ANNA, **HOME, **born("20090902")})),
        (
            "father and son of one middle initial",
            {**ANNA, **HOME, "middle_name": "daniel", "middle_name.initial": "d"},
            other({**ANNA, **HOME, **born("20090902"), "middle_name": "david", "middle_name.initial": "d"}),
        ),
        ("spouses", {**ANNA, **HOME}, other({**ANNA, **HOME, **named("torvald", "vesterholm"), **born("19811105"), "sex": "m"})),
        ("two generations", {**ANNA, **HOME, "suffix": "sr"}, other({**ANNA, **HOME}, suffix="jr")),
        ("two of a multiple birth", {**ANNA, "birth_order": "1"}, other(ANNA, birth_order="2")),
        ("birth date and number both differ", {**ANNA, **HOME, "ssn": ("1",)}, other({**ANNA, **HOME, **born("19720101")}, ssn=("2222",))),
        ("one name only", named("annika", "vesterholm"), other(named("annika", "vesterholm"))),
    ],
)
def test_what_may_be_another_patient_never_links(why: str, left: Mapping[str, Value], right: Mapping[str, Value]) -> None:
    assert outcome("patient", left, right) != "link", why


def test_what_a_household_shares_says_nothing_of_somebody_born_on_another_day() -> None:
    spouse = other({**ANNA, **HOME, **named("torvald", "vesterholm"), **born("19811105")})
    assert "street" not in {e.comparison for e in score_of({**ANNA, **HOME}, spouse).evidence}
    twin = other({**ANNA, **HOME, **named("torvald", "vesterholm")})
    assert score_of({**ANNA, **HOME}, twin).capped


def test_a_number_of_ones_own_outdoes_a_wrong_birth_date() -> None:
    son = other({**ANNA, **HOME, **born("20090902")})
    assert score_of({**ANNA, **HOME}, son).vetoes
    assert not score_of({**ANNA, **HOME, "national_id": ("4711",)}, {**son, "national_id": ("4711",)}).vetoes


def test_names_exchanged_are_counted_once() -> None:
    evidence = score_of(ANNA, other(ANNA, given_name="vesterholm", family_name="annika")).evidence
    assert [e.comparison for e in evidence if e.group in {"person", "name"}] == ["given name"]


def test_an_overlay_falls_below_its_bound() -> None:
    patient = ENTITY_TYPES["patient"]
    former, incoming = {**ANNA, **HOME}, {**HOME, **named("torvald", "quist"), **born("19510603"), "sex": "m"}
    assert patient.overlay_below is not None
    assert score_of(former, incoming).weight - patient.model.prior < patient.overlay_below


def test_a_move_and_a_new_surname_are_no_overlay() -> None:
    patient = ENTITY_TYPES["patient"]
    former = {**ANNA, **HOME}
    incoming = {**ANNA, "family_name": "orlov", "address_line.street": "kestrel", "city": "portland", "phone": ("2075550199",)}
    assert patient.overlay_below is not None
    assert score_of(former, incoming).weight - patient.model.prior > patient.overlay_below


DOCTOR: dict[str, Value] = {**named("marit", "okonkwo"), "system": "ehr-north", "provider_type": "individual", "specialty": "cardiology"}


def test_one_npi_and_one_name_are_one_provider() -> None:
    assert (
        outcome("provider", {**DOCTOR, "npi": ("1234567893",)}, other(DOCTOR, npi=("1234567893",), specialty="internal medicine")) == "link"
    )


def test_two_npis_are_two_providers() -> None:
    assert outcome("provider", {**DOCTOR, "npi": ("1234567893",)}, other(DOCTOR, npi=("1987654321",))) != "link"


def test_a_name_alone_is_no_provider() -> None:
    assert outcome("provider", named("marit", "okonkwo"), other(named("marit", "okonkwo"))) == "review"


def test_a_name_in_one_field_is_the_same_name() -> None:
    written: dict[str, Value] = {"full_name.given": "marit", "full_name.family": "okonkwo", "npi": ("1234567893",)}
    assert outcome("provider", {**DOCTOR, "npi": ("1234567893",)}, other(written)) == "link"
    assert outcome("provider", DOCTOR, other({**written, "specialty": "cardiology"})) == "link"
    assert outcome("provider", DOCTOR, other({**written, "full_name.family": "quist", "specialty": "cardiology"})) == "apart"


@pytest.mark.parametrize(
    ("written", "given", "family"),
    [
        ("HIDALGO, MARA Y MD", "mara", "hidalgo"),
        ("Mara Y. Hidalgo, M.D., MPH", "mara", "hidalgo"),
        ("Dr. Mara Hidalgo PA-C", "mara", "hidalgo"),
        ("Van Dyke, Anna", "anna", "van dyke"),
        ("Anna Do", "anna", "do"),
        ("Do, Anna DO", "anna", "do"),
        ("Hidalgo", None, "hidalgo"),
    ],
)
def test_a_name_in_one_field_is_read_as_its_parts(written: str, given: str | None, family: str) -> None:
    features = ENTITY_TYPES["provider"].attribute("full_name").type.features(written)
    assert (features.get("given"), features["family"]) == (given, family)


def test_stand_ins_never_link() -> None:
    stand_in = {**named("er", "physician"), **HOME, "provider_type": "pseudo", "provider_type.stand_in": "yes", "specialty": "emergency"}
    assert outcome("provider", stand_in, other(stand_in)) != "link"
