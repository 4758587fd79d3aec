"""Laws that every declared domain obeys, over records made from its own declaration; a new domain gets these by being there."""

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matching.blocking import blocking_keys
from matching.model import from_json, to_json
from matching.score import Scorer
from mdm.entities import ENTITY_TYPES
from mdm.entity import EntityType
from mdm.identifier_systems import BY_CODE
from mdm.jsonio import dumps, loads
from mdm.standardise import Delivery, standardise
from mdm.survive import Contribution, survive
from mdm.values.text import TEXT

SOURCES = ("ehr-north", "erp-north")
LAW = settings(max_examples=8, deadline=None)
domains = pytest.mark.parametrize("entity", ENTITY_TYPES.values(), ids=ENTITY_TYPES)


class Registry:
    def resolve(self, name):
        return name if name in BY_CODE or name in SOURCES else None

    def value_type(self, code):
        return BY_CODE[code].type if code in BY_CODE else TEXT

    def is_source(self, code):
        return code in SOURCES


def texts(example: str, longest: int = 20) -> st.SearchStrategy[str]:
    """A value's example, sometimes damaged, sometimes anything at all."""
    damaged = st.integers(0, max(len(example) - 1, 0)).map(lambda i: example[:i] + example[i + 1 :])
    return st.one_of(st.just(example), damaged, st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=min(20, longest)))


@st.composite
def deliveries(draw: st.DrawFn, entity: EntityType) -> Delivery:
    attributes = {}
    for attribute in entity.attributes:
        strategy = st.sampled_from(attribute.choices) if attribute.choices else texts(attribute.type.example, attribute.type.max_length)
        if attribute.required or draw(st.booleans()):
            value = draw(strategy)
            attributes[attribute.name] = value if value.strip() or not attribute.required else attribute.type.example
    identifiers = [(rule.system, draw(texts(BY_CODE[rule.system].type.example))) for rule in entity.identifiers if draw(st.booleans())]
    return Delivery(draw(st.sampled_from(SOURCES)), draw(st.sampled_from(("1", "2", "30"))), attributes, identifiers)


def standard(entity, delivery):
    return standardise(entity, delivery, Registry())


def test_columns_derived_from_several_attributes_come_last_and_win():
    def place(columns):
        return {"city": "here", "place": f"{columns['city']} {columns['state']}"}

    entity = replace(ENTITY_TYPES["payer"], derived=place, derived_columns=("place",))
    columns = standard(entity, Delivery("ehr-north", "1", {"name": "Aetna", "city": "Hartford", "state": "CT"})).columns
    assert (columns["city"], columns["place"]) == ("here", "hartford ct")


@domains
@LAW
@given(st.data())
def test_scores_are_symmetric_and_repeatable(entity, data):
    a, b = (standard(entity, data.draw(deliveries(entity))).columns for _ in range(2))
    scorer = Scorer(entity.model)
    there, back = scorer.score(a, b), scorer.score(b, a)
    assert there.weight == pytest.approx(back.weight, abs=1e-9)
    assert set(there.vetoes) == set(back.vetoes)
    assert scorer.score(a, b) == there


@domains
@LAW
@given(st.data())
def test_an_early_stop_never_changes_the_answer(entity, data):
    a, b = (standard(entity, data.draw(deliveries(entity))).columns for _ in range(2))
    scorer, floor = Scorer(entity.model), entity.model.thresholds.review
    full = scorer.score(a, b)
    assert scorer.score_from(a, b, floor) == (full if full.weight >= floor else None)


@domains
@LAW
@given(st.data())
def test_columns_survive_storage_and_are_declared(entity, data):
    columns = standard(entity, data.draw(deliveries(entity))).columns
    stored = loads(dumps(columns))
    assert set(columns) <= entity.columns
    assert blocking_keys(entity.name, entity.model.blocking, stored) == blocking_keys(entity.name, entity.model.blocking, columns)
    scorer = Scorer(entity.model)
    assert scorer.score(stored, columns).weight == scorer.score(columns, columns).weight


@domains
def test_a_model_survives_json(entity):
    assert from_json(loads(dumps(to_json(entity.model)))) == entity.model


@domains
@LAW
@given(st.data(), st.randoms(use_true_random=False))
def test_order_never_changes_what_survives(entity, data, rng):
    contributions = [
        Contribution(
            UUID(int=number),
            data.draw(st.sampled_from(SOURCES)),
            data.draw(st.sampled_from(("ehr", "erp", "billing"))),
            str(number),
            data.draw(st.booleans()),
            data.draw(st.one_of(st.none(), st.dates(date(2020, 1, 1), date(2026, 1, 1)))),
            standard(entity, data.draw(deliveries(entity))).attributes,
        )
        for number in range(data.draw(st.integers(1, 4)))
    ]
    shuffled = list(contributions)
    rng.shuffle(shuffled)
    assert survive(entity, shuffled) == survive(entity, contributions)
