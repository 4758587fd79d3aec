"""Versions of load templates: what tells two apart, whose they are, and a former one used again, once for all who ask at once."""

from datetime import UTC, datetime

import pytest

from mdm import load_versions
from mdm.access import Actor, Role
from mdm.db import fetch
from mdm.entities import ENTITY_TYPES
from mdm.errors import Conflict, NotFound, UnusableInput
from mdm.ids import new_id
from mdm.load_steps import Step
from mdm.load_targets import Binding
from mdm.load_templates import Template, keep, templates
from mdm.load_versions import Again, Moved, difference, overview, use_again, versions

PAYER = ENTITY_TYPES["payer"]
TRIM, PAD = Step("trim", "PAYER_NM"), Step("pad_zeros", "PAYER_NO", width=5)
FIRST = {"PAYER_NO": "key", "PAYER_NM": "name", "TOWN": "city"}
SECOND = {"PAYER_NO": "key", "LEGAL_NM": "name", "TOWN": "state"}


def bindings(columns):
    return tuple(Binding(target, column) for column, target in columns.items())


def template(columns, *steps, version=1):
    kept = tuple(step.as_json() for step in steps)
    return Template("payer", "billing-north", version, bindings(columns), kept, "ann", datetime(2026, 1, 1, tzinfo=UTC))


def loader(**scope):
    return Actor(new_id(), "lou", Role.LOADER, **scope)


@pytest.fixture
def kept(clean_database, session):
    """kept(columns, *steps) keeps a version."""

    def kept(columns, *steps, domain="payer", system="billing-north", by="ann"):
        return keep(session, ENTITY_TYPES[domain], system, bindings(columns), [step.as_json() for step in steps], by).version

    return kept


def test_a_difference_says_what_came_what_went_and_what_goes_elsewhere():
    found = difference(template(FIRST, TRIM), template(SECOND, PAD))
    assert found.added == {"LEGAL_NM": ("name",)}
    assert found.removed == {"PAYER_NM": ("name",)}
    assert found.moved == [Moved("TOWN", ("city",), ("state",))]
    assert (found.steps_added, found.steps_removed, found.is_reordered) == ([PAD], [TRIM], False)
    back = difference(template(SECOND, PAD), template(FIRST, TRIM))
    assert (back.added, back.removed) == (found.removed, found.added)
    assert (back.steps_added, back.steps_removed) == (found.steps_removed, found.steps_added)


def test_the_order_of_repairs_is_a_difference_and_that_of_columns_is_none():
    turned = dict(reversed(FIRST.items()))
    assert difference(template(FIRST, TRIM, PAD), template(turned, TRIM, PAD)).is_empty
    found = difference(template(FIRST, TRIM, PAD), template(FIRST, PAD, TRIM))
    assert (found.is_reordered, found.is_empty, found.steps_added) == (True, False, [])


def test_a_repair_switched_off_is_another_one():
    off = Step("trim", "PAYER_NM", on=False)
    found = difference(template(FIRST, TRIM), template(FIRST, off))
    assert (found.steps_added, found.steps_removed) == ([off], [TRIM])


def test_the_overview_has_a_row_for_each_template_in_scope(session, kept):
    kept(FIRST)
    kept(SECOND, TRIM, by="bea")
    kept({"NO": "key", "NM": "name"}, system="erp-north")
    found = {(each.domain, each.system): each for each in overview(session, loader())}
    newest = found["payer", "billing-north"]
    assert (newest.version, newest.versions, newest.columns, newest.steps, newest.created_by) == (2, 2, 3, 1, "bea")
    assert ("payer", "erp-north") in found
    assert {each.system for each in overview(session, loader(systems=frozenset({"erp-north"})))} == {"erp-north"}
    for nothing in (loader(domains=frozenset({"item"})), Actor(new_id(), "sue", Role.STEWARD)):
        assert overview(session, nothing) == []
        with pytest.raises(NotFound):
            versions(session, nothing, "payer", "billing-north")
    with pytest.raises(NotFound):
        versions(session, loader(systems=frozenset({"erp-north"})), "payer", "billing-north")
    assert load_versions.uses(session, "payer", "billing-north") == {}


def test_a_former_version_becomes_the_newest_once(session, kept):
    kept(FIRST, TRIM)
    kept(SECOND)
    for _ in range(2):
        assert use_again(session, loader(), PAYER, "billing-north", Again(1, 2), "r1") == 3
    found = templates(session, "payer", "billing-north")
    assert [each.version for each in found] == [3, 2, 1]
    assert difference(found[2], found[0]).is_empty
    assert found[0].created_by == "lou"
    told = fetch(session, "select principal, domain, request_id, detail from audit where action = 'template:again'")
    assert told == [("lou", "payer", "r1", {"system": "billing-north", "version": 3, "again": 1})]
    assert use_again(session, loader(), PAYER, "billing-north", Again(2, 3), "r2") == 4  # and back


def test_no_version_is_used_again_over_one_that_nobody_saw(session, kept):
    kept(FIRST)
    kept(SECOND)
    kept(SECOND, PAD)
    with pytest.raises(Conflict):
        use_again(session, loader(), PAYER, "billing-north", Again(1, 2), "r")
    with pytest.raises(NotFound):
        use_again(session, loader(), PAYER, "billing-north", Again(7, 3), "r")
    with pytest.raises(NotFound):
        use_again(session, loader(systems=frozenset({"erp-north"})), PAYER, "billing-north", Again(1, 3), "r")


def test_a_version_that_names_what_the_domain_no_longer_has_is_refused(session, kept):
    kept({**FIRST, "X": "zeppelin"})
    kept(FIRST)
    with pytest.raises(UnusableInput):
        use_again(session, loader(), PAYER, "billing-north", Again(1, 2), "r")
