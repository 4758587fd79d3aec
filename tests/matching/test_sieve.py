"""The sieve keeps every pair that the scorer brings to the floor, and drops those that it does not."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matching.counting import with_frequencies
from matching.drawn import random_pairs
from matching.levels import same
from matching.model import Comparison, Level, Model, Thresholds
from matching.score import Scorer
from matching.sieve import Sieve
from mdm.entities import ENTITY_TYPES
from tests.entities.test_every_domain import deliveries, standard
from tests.matching.real_records import real_sets

domains = pytest.mark.parametrize("entity", ENTITY_TYPES.values(), ids=ENTITY_TYPES)
LAW = settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))


def assert_sieves(model, records, left, right, floor):
    scorer = Scorer(model)
    found = Sieve(scorer).within_reach(records, left, right, floor)
    totals = [scorer.total(records[a], records[b]) for a, b in zip(left.tolist(), right.tolist(), strict=True)]
    assert found.tolist() == [total.weight >= floor or total.capped for total in totals]
    return found


@domains
def test_pairs_of_real_sets_are_sieved_as_the_scorer_weighs_them(entity):
    for records in real_sets(entity.name, most=300):
        model = with_frequencies(entity.model, records)
        left, right = random_pairs(len(records), None, 2_000)
        for floor in (model.thresholds.review, -12.0):
            assert_sieves(model, records, left, right, floor)


@domains
@LAW
@given(data=st.data())
def test_any_records_are_sieved_as_the_scorer_weighs_them(entity, data):
    columns = [standard(entity, each).columns for each in data.draw(st.lists(deliveries(entity), min_size=10, max_size=20))]
    records = [*columns, *columns[:3]]  # some pairs agree in everything
    left, right = (side.astype(np.int64) for side in np.triu_indices(len(records), k=1))
    assert_sieves(with_frequencies(entity.model, records), records, left, right, entity.model.thresholds.review)


PHONE = Comparison("phone", ("phone",), (Level("same", 0.9, 0.1, (same("phone"),)), Level("different", 0.1, 0.9)), "phone")
MODEL = Model("m-1", 0.0, (PHONE,), (), Thresholds(review=0.0, link=1.0))


@pytest.mark.parametrize("other", ["1", ("1",), ["1"], ("2", "1"), ["1", "3"]], ids=str)
@pytest.mark.parametrize("one", ["1", ("1",), ["1"], ("1", "4")], ids=str)
def test_a_text_is_the_list_of_it_and_lists_share_what_one_of_them_says(one, other):
    records = [{"phone": one}, {"phone": other}, {"phone": ("5", "6")}, {}]
    pairs = np.array([0, 0, 0]), np.array([1, 2, 3])
    assert assert_sieves(MODEL, records, *pairs, 0.0).tolist() == [True, False, True]  # of nothing said nothing is against it


def test_of_no_pairs_none_is_left():
    nobody = np.zeros(0, dtype=np.int64)
    assert Sieve(Scorer(MODEL)).within_reach([], nobody, nobody, 0.0).tolist() == []
