"""An explanation is the score itself: its parts add up, and what it says would turn the outcome does."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matching.counting import with_frequencies
from matching.explain import FLIPS_MAX, explain, outcome
from matching.levels import same
from matching.model import Backing, Comparison, Level, Model, Thresholds, Veto
from matching.score import Scorer
from mdm.entities import ENTITY_TYPES
from tests.entities.test_every_domain import deliveries, standard

LAW = settings(max_examples=8, deadline=None)
domains = pytest.mark.parametrize("entity", ENTITY_TYPES.values(), ids=ENTITY_TYPES)


def compared(name, m, u, *, group="", unless=None):
    levels = (Level("same", m, u, (same(name),), frequency=name), Level("different", 1 - m, 1 - u))
    return Comparison(name, (name,), levels, group or name, unless)


NAME = compared("name", 0.8, 0.05)
CITY = compared("city", 0.8, 0.4)
MODEL = Model("m-1", -2.0, (NAME, CITY), (), Thresholds(review=0.0, link=2.5))


def pair(model, left, right):
    return explain(Scorer(model), left, right)


@st.composite
def columns(draw, entity):
    """Two records of a domain; every second pair are variants of one record, so that all outcomes are met."""
    one, other = (standard(entity, draw(deliveries(entity))).columns for _ in range(2))
    return one, {**one, **other, "keys": other["keys"]} if draw(st.booleans()) else other


@domains
@LAW
@given(data=st.data())
def test_the_parts_add_up_to_the_score(entity, data):
    left, right = data.draw(columns(entity))
    model = with_frequencies(entity.model, [left, right])
    found, score = pair(model, left, right), Scorer(model).score(left, right)
    running = found.start
    for step in found.steps:
        running += step.weight
        assert step.total == pytest.approx(running, abs=1e-9)
    assert found.total == score.weight
    assert running + found.cap == pytest.approx(found.total, abs=1e-9)
    assert sum(found.groups.values()) == pytest.approx(running - found.start, abs=1e-9)
    assert [(s.comparison, s.level, s.weight, s.adjustment) for s in found.steps] == [
        (e.comparison, e.level, e.weight, e.adjustment) for e in score.evidence
    ]
    assert tuple(veto.name for veto in found.vetoes) == score.vetoes
    assert (found.cap != 0) == score.capped


@domains
@LAW
@given(data=st.data())
def test_every_comparison_spoke_or_was_silent_and_each_level_has_a_reason(entity, data):
    left, right = data.draw(columns(entity))
    found = pair(entity.model, left, right)
    told = [s.comparison for s in (*found.steps, *found.silent)]
    assert sorted(told) == sorted(comparison.name for comparison in entity.model.comparisons)
    assert all(step.reason and step.reason.endswith(".") for step in found.steps)
    assert all(silent.absent or silent.unless for silent in found.silent)
    assert all(silent.least <= 0 <= silent.most for silent in found.silent)


@domains
@LAW
@given(data=st.data())
def test_a_flip_names_another_outcome_and_the_nearest_comes_first(entity, data):
    left, right = data.draw(columns(entity))
    found = pair(entity.model, left, right)
    changes = [abs(flip.change) for flip in found.flips]
    assert changes == sorted(changes)
    assert len(found.flips) <= FLIPS_MAX
    for flip in found.flips:
        assert flip.outcome != found.outcome
        assert flip.total == pytest.approx(found.total + flip.change, abs=1e-9)


@domains
@LAW
@given(data=st.data())
def test_both_directions_tell_the_same(entity, data):
    left, right = data.draw(columns(entity))
    there, back = pair(entity.model, left, right), pair(entity.model, right, left)
    assert (there.outcome, [s.level for s in there.steps]) == (back.outcome, [s.level for s in back.steps])
    assert [s.left for s in there.steps] == [s.right for s in back.steps]


def test_a_level_that_would_link_is_named_with_its_bits():
    left, right = {"name": "ann", "city": "bath"}, {"name": "ann", "city": "york"}
    found = pair(MODEL, left, right)
    assert found.outcome == "review"
    link = next(flip for flip in found.flips if flip.outcome == "link")
    assert link.words == "if city were 'same' instead of 'different'"
    assert found.total + link.change == Scorer(MODEL).score(left, left).weight


def test_what_was_said_and_gone_drops_a_link():
    record = {"name": "ann", "city": "bath"}
    flips = {(flip.subject, flip.instead) for flip in pair(MODEL, record, record).flips}
    assert ("city", None) in flips
    assert pair(MODEL, {"name": "ann"}, record).outcome == "review"


def test_a_rare_value_is_told_apart_from_its_level():
    model = with_frequencies(MODEL, [{"name": "ann"}, *({"name": "bob"} for _ in range(30))])
    rare, common = (pair(model, {"name": name}, {"name": name}).steps[0] for name in ("ann", "bob"))
    assert rare.level == common.level == "same"
    assert rare.adjustment > 0 > common.adjustment
    assert rare.weight - rare.adjustment == pytest.approx(NAME.levels[0].weight)


def test_a_veto_stands_in_the_way_alone_or_with_others():
    vetoed = replace(MODEL, vetoes=(Veto("two kinds", conflict=("kind",)),))
    left, right = ({"name": "ann", "city": "bath", "kind": kind} for kind in "ab")
    found = pair(vetoed, left, right)
    assert (found.outcome, found.vetoes[0].conflict) == ("review", ("kind",))
    assert (found.flips[0].words, found.flips[0].change) == ("if the rule 'two kinds' did not speak against it", 0.0)
    twice = replace(vetoed, vetoes=(*vetoed.vetoes, Veto("again", conflict=("kind",))))
    assert "link" not in {flip.outcome for flip in pair(twice, left, right).flips}


def test_a_level_links_only_where_it_ends_the_veto_too():
    left, right = {"name": "ann", "city": "bath"}, {"name": "ann", "city": "york"}
    by_city = replace(MODEL, vetoes=(Veto("two cities", conflict=("city",)),))
    by_kind = replace(MODEL, vetoes=(Veto("two kinds", conflict=("kind",)),))
    assert "link" in {flip.outcome for flip in pair(by_city, left, right).flips}
    assert "link" not in {flip.outcome for flip in pair(by_kind, {**left, "kind": "a"}, {**right, "kind": "b"}).flips}


def test_one_kind_of_evidence_is_capped_and_another_would_lift_it():
    model = replace(MODEL, groups_needed=2, thresholds=Thresholds(review=-3.0, link=0.4))
    found = pair(model, {"name": "ann", "city": "bath"}, {"name": "ann", "city": "york"})
    assert (found.outcome, found.cap < 0, found.total) == ("review", True, 0.4 - 0.01)
    assert ("city", "link") in {(flip.subject, flip.outcome) for flip in found.flips}


def test_a_silent_comparison_says_who_is_absent_and_what_it_could_do():
    found = pair(MODEL, {"name": "ann", "city": "bath"}, {"name": "ann"})
    [city] = found.silent
    assert (city.absent, city.unless) == (("right",), None)
    assert (city.least, city.most) == (CITY.levels[1].weight, CITY.levels[0].weight)
    assert city.outcomes == ("link",)


def test_what_another_level_leaves_out_says_so():
    house = compared("house", 0.8, 0.4, unless=("city", "different"))
    model = replace(MODEL, comparisons=(NAME, CITY, house), thresholds=Thresholds(review=0.0, link=3.5))
    found = pair(model, {"name": "ann", "city": "bath", "house": "1"}, {"name": "ann", "city": "york", "house": "1"})
    [silent] = found.silent
    assert (silent.comparison, silent.absent, silent.unless) == ("house", (), ("city", "different"))
    city = next(flip for flip in found.flips if flip.subject == "city" and flip.instead == "same")
    assert city.change == pytest.approx(CITY.levels[0].weight - CITY.levels[1].weight + house.levels[0].weight)


@pytest.mark.parametrize(
    ("weight", "vetoes", "expected"),
    [(2.5, (), "link"), (2.5, ("no",), "review"), (2.4, (), "review"), (0.0, (), "review"), (-0.1, (), "new")],
)
def test_the_outcome_of_a_pair(weight, vetoes, expected):
    assert outcome(weight, vetoes, MODEL.thresholds) == expected


def test_why_a_pair_is_held_below_link_is_told_as_it_is():
    left, right = {"name": "ann", "city": "bath"}, {"name": "ann", "city": "york"}
    low = Thresholds(review=-3.0, link=0.4)
    held = {
        "fewer than 2 kinds of evidence agree": {"groups_needed": 2},
        "no contact or place agrees": {"groups_required": ("contact", "place")},
        "city is not 'same' and no contact agrees": {"backing": Backing(("city", "same"), ("contact",))},
    }
    for words, rule in held.items():
        assert pair(replace(MODEL, thresholds=low, **rule), left, right).held == words
    assert pair(replace(MODEL, thresholds=low), left, right).held is None
