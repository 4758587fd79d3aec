"""Pairs that cannot reach a floor are left out, and no others."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest

from matching import bulk as bulk_module
from matching.bulk import Room, Settled, bulk
from matching.counting import with_frequencies
from matching.table import lay_out
from mdm.entities import ENTITY_TYPES
from tests.matching.real_records import real_sets

ROOM = Room(memory="500MB", threads=1)
domains = pytest.mark.parametrize("entity", ENTITY_TYPES.values(), ids=ENTITY_TYPES)


@pytest.fixture(autouse=True)
def quick_from_the_first_pair(monkeypatch):
    monkeypatch.setattr(bulk_module, "QUICK_FROM", 0)


def weighed(model, records, floor, blocked_from):
    with bulk(model, lay_out(model, records), room=ROOM) as executor:
        found = executor.block(blocked_from)
        return found, executor.weigh(model, floor)


@domains
def test_the_pairs_from_a_floor_on_are_those_of_all(entity):
    for records in real_sets(entity.name, most=400):
        declared, counted = entity.model, with_frequencies(entity.model, records)
        for model, floor in ((declared, declared.thresholds.link), (counted, counted.thresholds.review)):
            (everything, expected), (blocked, found) = (weighed(model, records, floor, first) for first in (-inf, floor))
            assert blocked == everything
            for name in ("left", "right", "weights", "vetoed"):
                assert np.array_equal(getattr(found, name), getattr(expected, name)), name


def test_what_was_left_out_is_not_asked_for():
    model = ENTITY_TYPES["patient"].model
    records = [{"ssn": "123456789", "sex": "f"}, {"ssn": "123456789", "sex": "f"}, {"phone": "6175550100"}, {"phone": "6175550100"}]
    with bulk(model, lay_out(model, records), room=ROOM) as executor:
        executor.block(model.thresholds.review)
        assert executor.weigh(model, model.thresholds.review).left.tolist() == [0]
        for ask in (
            executor.levels,
            executor.patterns,
            lambda: executor.weigh(model),
            lambda: executor.weigh(model, -5.0),
            lambda: executor.weigh(replace(model, prior=-4.0), 0.0),
        ):
            with pytest.raises(ValueError, match="left out"):
                ask()


@domains
def test_the_pairs_of_some_among_settled_ones_are_those_of_all(entity):
    model = entity.model
    floor = model.thresholds.review
    for records in real_sets(entity.name, most=400):
        _, everything = weighed(model, records, floor, floor)
        stays = np.arange(len(records)) % 3 > 0
        among = everything.where(stays[everything.left] & stays[everything.right])
        half = among.where(np.arange(len(among.left)) % 2 == 0)
        with bulk(model, lay_out(model, records), settled=Settled(stays, half.left, half.right), room=ROOM) as executor:
            executor.block(floor)
            found = executor.weigh(model, floor)
        wanted = everything.where(~(stays[everything.left] & stays[everything.right]))
        codes = np.concatenate([each.left * len(records) + each.right for each in (wanted, half)])
        assert np.array_equal(found.left * len(records) + found.right, np.sort(codes))
