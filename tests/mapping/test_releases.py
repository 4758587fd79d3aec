"""Releases are frozen, compared, and brought back."""

from dataclasses import replace

import pytest

from mdm.errors import NotFound, Stale
from mdm.mapping_releases import compare, list_releases, release
from mdm.mapping_sets import get_set
from tests.mapping.conftest import BOB, PLAIN


def test_two_releases_compared(rules):
    kept, gone, old = (rules.rule({"department": name}, name) for name in "abc")
    first = rules.release()
    rules.retire(rules.read(gone))
    new = rules.rule({"department": "c"}, "other", replaces=old)
    added = rules.rule({"department": "d"}, "d")
    found = rules.run(lambda s: compare(s, rules.code, first, rules.release()))
    assert [rule.id for rule in found.added] == [added]
    assert [rule.id for rule in found.removed] == [gone]
    assert [([b.id for b in c.before], [a.id for a in c.after]) for c in found.changed] == [([old], [new])]
    assert kept not in {rule.id for rule in (*found.added, *found.removed)}


def test_a_rollback_restores_the_answers_and_erases_nothing(rules):
    asked = [{"department": name} for name in "abc"]
    old = rules.rule({"department": "a"}, "1")
    rules.rule({"department": "b"}, "2")
    first, before = rules.release(), rules.ask(*asked)
    rules.rule({"department": "a"}, "9", replaces=old)
    rules.rule({"department": "c"}, "3")
    changed, then = rules.ask(*asked), rules.now()
    number = rules.roll_back(first)
    assert [(a["outcome"], a["outputs"], a["rule"]) for a in rules.ask(*asked)] == [(a["outcome"], a["outputs"], a["rule"]) for a in before]
    assert [a["outputs"] for a in rules.ask(*asked, known_at=then)] == [a["outputs"] for a in changed]
    assert rules.run(lambda s: compare(s, rules.code, first, number)).changed == ()
    assert [r.restores for r in rules.run(lambda s: list_releases(s, rules.code))] == [first, None]


def test_a_rollback_brings_the_tie_break_back(rules):
    rules.define(replace(PLAIN, tie_break=("department",)))
    rules.rule({"department": "a"}, "1")
    rules.rule({"payer_class": "m"}, "2")
    first = rules.release()
    rules.define(replace(PLAIN, tie_break=("payer_class",), label="Renamed"))
    assert rules.one({"department": "a", "payer_class": "m"})["outputs"] == {"account": "2"}
    rules.roll_back(first)
    assert rules.one({"department": "a", "payer_class": "m"})["outputs"] == {"account": "1"}
    assert rules.run(lambda s: get_set(s, rules.code)).definition.label == "Renamed"


def test_a_release_is_of_what_was_read(rules):
    with pytest.raises(Stale):
        rules.run(lambda s: release(s, rules.by(BOB), rules.code, if_match=99, note=""))


def test_a_release_that_is_not_there(rules):
    with pytest.raises(NotFound):
        rules.roll_back(3)
