"""Values reach the database in the form in which they are stored, whatever they are made of."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import RawCursor

from mdm.db import connection
from mdm.entities import ENTITY_TYPES
from mdm.question import _array, normal_forms
from mdm.values.kind import clean_text


@given(st.lists(st.text(), max_size=8))
def test_tidy_or_not_a_key_is_cleaned_alike(world, values):
    registry = world.registry()
    together = normal_forms(registry, "erp", values)
    assert together == [normal_forms(registry, "erp", [value])[0] for value in values]
    assert all(form is None or form == clean_text(form) for form in together)


@given(st.text(min_size=1).filter(lambda text: clean_text(text) == text))
def test_a_clean_key_is_its_own_form(world, value):
    assert normal_forms(world.registry(), "erp", [value]) in ([value], [None])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), min_size=1), max_size=8))
def test_an_array_arrives_whole_and_in_order(world, values):
    statement = "select $1::text[]"
    sent = world.database.run(lambda session: RawCursor(connection(session)).execute(statement, (_array(values),)).fetchall())
    assert sent == [(sorted(values),)]


@pytest.mark.parametrize("domain", sorted(ENTITY_TYPES))
def test_every_domain_can_be_asked(world, domain, value):
    golden_id = world.golden(domain)
    world.holds(golden_id, "erp", value)
    assert world.ask("erp", value, to=["concord"], domain=domain)[0]["targets"][0]["value"] == str(golden_id)
