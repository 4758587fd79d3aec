"""What blocking cannot follow it narrows, and what it cannot narrow it reports."""

from dataclasses import replace

import numpy as np
import pytest

from matching import bulk as bulk_module
from matching.bulk import Room, Settled, bulk
from matching.counting import with_frequencies
from matching.levels import part, same
from matching.model import BlockingRule, Comparison, Level, Model, Thresholds
from matching.table import lay_out

NAME = Comparison("name", ("name",), (Level("same", 0.9, 0.1, (same("name"),)), Level("different", 0.1, 0.9)), "name")
RULES = tuple(BlockingRule(column, (part(column),), holders_max=5) for column in ("name", "city", "street"))
MODEL = Model("m-1", 0.0, (NAME,), RULES, Thresholds(review=0.0, link=1.0))


def blocked(records, model=MODEL):
    with bulk(model, lay_out(model, records), room=Room("200MB", 1)) as executor:
        found = executor.block()
        weighed = executor.weigh(model)
        return found, set(zip(weighed.left.tolist(), weighed.right.tolist(), strict=True))


def test_a_common_key_counts_together_with_a_second_one():
    """Eight live in one city, eight others in one street of it: only those two who share both meet."""
    records = [{"city": "salem"} for _ in range(8)] + [{"street": "main"} for _ in range(8)]
    records += [{"city": "salem", "street": "main"}, {"city": "salem", "street": "main"}]
    found, pairs = blocked(records)
    assert found.over_full == {"city": 1, "street": 1}
    assert found.left_out == {}
    assert pairs == {(16, 17)}


def test_what_is_too_common_even_together_is_reported():
    found, pairs = blocked([{"city": "salem", "street": "main", "name": str(n)} for n in range(300)])
    assert found.over_full == {"city": 1, "street": 1}
    assert sum(found.left_out.values()) == 1
    assert pairs == set()


def test_a_rule_can_be_wary_of_what_common_keys_have_together():
    """Three live in one street of one city, both too common by themselves: this rule follows only two."""
    records = [{"city": "salem"} for _ in range(8)] + [{"street": "main"} for _ in range(8)]
    records += [{"city": "salem", "street": "main"} for _ in range(3)]
    assert blocked(records)[1] == {(16, 17), (16, 18), (17, 18)}
    wary = replace(MODEL, blocking=tuple(replace(rule, together_max=2) for rule in RULES))
    found, pairs = blocked(records, wary)
    assert (found.left_out, pairs) == ({"city + street": 1}, set())


def test_a_key_that_few_share_is_followed_by_itself():
    found, pairs = blocked([{"name": "ann"}, {"name": "ann"}, {"name": "bob"}])
    assert (found.pairs, found.over_full, pairs) == (1, {}, {(0, 1)})


def test_a_model_with_frequencies_weighs_right_after_blocking():
    name = replace(NAME, levels=(replace(NAME.levels[0], frequency="name"), NAME.levels[1]))
    records = [{"name": "ann"}, {"name": "ann"}, {"name": "bob"}]
    model = with_frequencies(replace(MODEL, comparisons=(name,)), records)
    with bulk(model, lay_out(model, records), room=Room("200MB", 1)) as executor:
        executor.block()
        assert executor.weigh(model).left.tolist() == [0]


def test_of_settled_records_only_those_pairs_count_that_are_said():
    records = [{"name": "ann"}] * 3 + [{"name": "bob"}] + [{"name": "ann"}] * 2
    settled = Settled(np.array([True, True, True, True, False, True]), np.array([0, 1]), np.array([2, 3]))
    with bulk(MODEL, lay_out(MODEL, records), settled=settled, room=Room("200MB", 1)) as executor:
        assert executor.block().pairs == 4
        weighed = executor.weigh(MODEL)
    assert {*zip(weighed.left.tolist(), weighed.right.tolist(), strict=True)} == {(0, 2), (1, 3), (0, 4), (1, 4), (2, 4), (4, 5)}


@pytest.mark.parametrize("settled", [None, Settled(np.arange(40) % 3 > 0, np.array([1, 4]), np.array([2, 38]))], ids=["none", "some"])
def test_chunk_by_chunk_the_same_pairs_are_found_once(monkeypatch, settled):
    records = [{"name": f"n{n % 9}", "city": f"c{n % 11}"} for n in range(40)]

    def found():
        with bulk(MODEL, lay_out(MODEL, records), settled=settled, room=Room("200MB", 1)) as executor:
            number = executor.block().pairs
            weighed = executor.weigh(MODEL)
            return number, len(executor._chunks()), [*zip(weighed.left.tolist(), weighed.right.tolist(), strict=True)]

    pairs, chunks, whole = found()
    monkeypatch.setattr(bulk_module, "CHUNK_PAIRS", 7)
    cut_pairs, cut_chunks, cut = found()
    assert (pairs, chunks, whole) == (cut_pairs, 1, cut)
    assert cut_chunks > 5
    assert len({*whole}) == len(whole) == pairs + (0 if settled is None else 2)
