"""One model, two executors: what the online scorer says of a pair, the bulk executor says too, to the last bit that matters."""

import os
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matching.arrays import Rows
from matching.bulk import Room, bulk
from matching.counting import with_frequencies
from matching.drawn import random_pairs
from matching.model import Columns, Model
from matching.score import Scorer
from matching.table import lay_out
from mdm.entities import ENTITY_TYPES
from mdm.entity import EntityType
from mdm.standardise import Delivery
from tests.entities.test_every_domain import deliveries, standard
from tests.matching.real_records import real_sets

ROOM = Room(memory="500MB", threads=1)
LAW = settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
PAIRS = int(os.environ.get("CONCORD_PARITY_PAIRS", "200"))  # of each real set; 10000 is the whole measurement
DIFFERENCE_MAX = 1e-9  # bits
domains = pytest.mark.parametrize("entity", ENTITY_TYPES.values(), ids=ENTITY_TYPES)


def assert_alike(model: Model, records: list[Columns]) -> None:
    left, right = np.triu_indices(len(records), k=1)
    with bulk(model, lay_out(model, records), room=ROOM) as executor:
        found = executor.score(model, left.astype(np.int64), right.astype(np.int64))
    scorer = Scorer(model)
    assert len(found.left) == len(left)
    for low, high, weight, vetoed in zip(found.left, found.right, found.weights, found.vetoed, strict=True):
        one, other = scorer.score(records[low], records[high]), scorer.score(records[high], records[low])
        assert one == other
        assert weight == pytest.approx(one.weight, abs=1e-9, rel=0), (records[low], records[high], one)
        assert vetoed == bool(one.vetoes)


@domains
@LAW
@given(data=st.data())
def test_both_executors_give_every_pair_the_same_weight(entity: EntityType, data: st.DataObject) -> None:
    records = data.draw(st.lists(deliveries(entity), min_size=20, max_size=40))
    columns = [standard(entity, delivery).columns for delivery in records]
    counted = with_frequencies(entity.model, columns)
    assert_alike(counted, columns)


@domains
def test_frequencies_weigh_alike(entity: EntityType) -> None:
    """Every level that asks for the very same text of a column is made to ask for its rarity too."""
    comparisons = tuple(
        replace(
            comparison,
            levels=tuple(
                replace(level, frequency=level.any_of[0].columns[0]) if [t.measure for t in level.any_of] == ["exact"] else level
                for level in comparison.levels
            ),
        )
        for comparison in entity.model.comparisons
    )
    texts = {"alpha": 6, "beta": 3, "gamma": 1}
    model = replace(entity.model, comparisons=comparisons)
    columns = sorted({level.frequency for c in comparisons for level in c.levels if level.frequency and len(c.needs) == 1})
    records = [dict.fromkeys(columns, text) for text, count in texts.items() for _ in range(count)]
    assert_alike(with_frequencies(model, records), records)


def some_pairs(near: tuple[Rows, Rows], size: int, count: int) -> tuple[Rows, Rows]:
    """Half of them near, as blocking finds them, half of any kind."""
    chosen = np.random.default_rng(1).permutation(len(near[0]))[: count // 2]
    others = random_pairs(size, None, count - len(chosen))
    left, right = (np.concatenate([one[chosen], other]) for one, other in zip(near, others, strict=True))
    return left, right


@domains
def test_pairs_of_real_sets_weigh_alike(entity: EntityType, record_testsuite_property: Callable[[str, object], None]) -> None:
    greatest = 0.0
    for records in real_sets(entity.name, most=max(300, PAIRS // 5)):
        model = with_frequencies(entity.model, records)
        with bulk(model, lay_out(model, records), room=ROOM) as executor:
            executor.block()
            found = executor.score(model, *some_pairs(executor.levels()[:2], len(records), PAIRS))
        scorer = Scorer(model)
        scores = [scorer.score(records[low], records[high]) for low, high in zip(found.left, found.right, strict=True)]
        assert len(scores) >= 0.9 * PAIRS  # one that is drawn twice is scored once
        greatest = max(greatest, float(np.abs(found.weights - [score.weight for score in scores]).max()))
        assert greatest <= DIFFERENCE_MAX
        assert found.vetoed.tolist() == [bool(score.vetoes) for score in scores]
    record_testsuite_property(f"parity {entity.name}", f"greatest difference {greatest:.1e} bits")


def test_likeness_of_exactly_what_a_level_asks_for_is_enough_for_both():
    """Grantberberg and Garberberg are alike by .92, and by a little less as rapidfuzz adds."""
    model = ENTITY_TYPES["patient"].model
    records = [{"family_name": name, "birth_date": "19760510", "given_name": "william"} for name in ("grantberberg", "garberberg")]
    with bulk(model, lay_out(model, records), room=Room("500MB", 1)) as executor:
        weight = executor.score(model, np.array([0]), np.array([1])).weights[0]
    assert abs(Scorer(model).score(*records).weight - weight) <= 1e-9


def test_vetoes_between_twins_speak_alike():
    """Numbers a slip apart, in a row, exchanged at their end, several on a side, and of another length."""
    numbers = ["219091401", "219091402", "279091401", "291091401", "219091410", "219091041", "2190914011", "418227701"]
    held = [(number,) for number in numbers] + [("219091401", "418227701"), ("219091402", "279091401")]
    births = {"birth_date": "19810417", "birth_date.year": "1981", "family_name": "vexholm"}
    records = [
        {**births, "given_name": given, "given_name.nicknames": (given,), "sex": sex, "ssn": ssn}
        for given, sex in (("jada", "f"), ("jade", "f"), ("jade", "m"))
        for ssn in held
    ]
    model = ENTITY_TYPES["patient"].model
    assert_alike(model, records)
    scorer = Scorer(model)
    vetoed = [bool(scorer.score(records[0], other).vetoes) for other in records[10:20]]
    assert vetoed == [False, True, False, False, True, False, False, True, False, False]


def test_a_name_and_a_near_birth_date_are_held_below_link_alike():
    person = {"given_name": "maria", "family_name": "garcia", "sex": "f", "system": "a"}
    born = [{"birth_date": day, "birth_date.year": day[:4]} for day in ("19620506", "19620516", "19620605")]
    beside = [{}, {"phone": ("4256437712",)}, {"city": "bellevue"}, {"city": "tacoma", "phone": ("4256437799",)}, {"ssn": ("219091401",)}]
    records = [{**person, **day, **known} for day in born for known in beside]
    model = ENTITY_TYPES["patient"].model
    assert_alike(model, records)
    assert_alike(with_frequencies(model, records), records)
    assert Scorer(model).score(records[0], records[5]).capped


def test_names_in_their_own_script_weigh_alike():
    names = [("محمد", "الأحمد"), ("أحمد", "الأحمد"), ("محمد", ""), ("", "الأحمد"), ("Walter", "Quimby"), ("محمد", "Quimby"), ("", "")]
    model = ENTITY_TYPES["patient"].model
    records = []
    for number, (given_name, family_name) in enumerate(names * 2):
        said = {"given_name": given_name, "family_name": family_name, "birth_date": "1981-04-17"}
        records.append(standard(ENTITY_TYPES["patient"], Delivery("ehr-north", str(number), said)).columns)
    assert_alike(model, records)
    assert_alike(with_frequencies(model, records), records)
