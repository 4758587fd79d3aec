"""Rows of a pair that no attribute has to itself: named after their comparison, with the values that were compared."""

import pytest

from mdm import casework
from mdm.access import PHI, SYSTEM_ACTOR, Actor, Role
from mdm.entities import ENTITY_TYPES
from mdm.ids import new_id
from mdm.ingest import deliver_all
from mdm.reading import Reader
from mdm.standardise import Delivery

STEWARD = Actor(new_id(), "ann", Role.STEWARD)


@pytest.fixture
def row(clean_database):
    """row(domain, one, other, actor) -> a function that finds the rows of the pair by title."""

    def make(domain, one, other, actor=STEWARD):
        entity = ENTITY_TYPES[domain]
        goldens = [
            deliver_all(clean_database, entity, SYSTEM_ACTOR, [Delivery("erp-north", key, said)], "test")[0].golden_id
            for key, said in (("1", one), ("2", other))
        ]
        found = clean_database.run(lambda s: casework.pair(s, entity, Reader(actor, "test"), *goldens))
        return {each.title: each for each in found.rows}

    return make


def texts(cells):
    return ["".join(span.text for span in value) for value in cells]


def test_a_part_number_in_the_text_shows_what_was_compared(row):
    one = {"description": "Stapler linear cutter TLC75", "manufacturer_part_number": "TLC75"}
    found = row("item", one, {"description": "Cutter TLC75 reload white, box of 12", "manufacturer": "Ethicon"})["Part number"]
    assert any("tlc75" in text.casefold() for text in texts(found.left))
    assert any("tlc75" in text.casefold() for text in texts(found.right))


@pytest.mark.parametrize("actor", [STEWARD, Actor(new_id(), "admin", Role.ADMIN, grants=frozenset({PHI}))])
def test_names_in_another_script_stand_in_the_row_that_asks_whether_they_are_known(row, actor):
    born = {"family_name": "\u062d\u0633\u0646", "birth_date": "1970-01-02", "sex": "M"}
    rows = row("patient", {**born, "given_name": "\u0645\u062d\u0645\u062f"}, {**born, "given_name": "\u0639\u0644\u064a"}, actor)
    found = rows["Given name known"]
    assert "System" not in rows
    assert (texts(found.left), texts(found.right)) == (texts(rows["Given name"].left), texts(rows["Given name"].right))
    assert texts(found.left) != []
