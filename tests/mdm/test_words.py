"""A search is for words: each begins a word of a value; a whole value is found however it is written, masked ones in no other way."""

import pytest

from mdm import old_words
from mdm.access import SYSTEM_ACTOR
from mdm.db import execute
from mdm.entities import ENTITY_TYPES
from mdm.golden import search
from mdm.reading import Question, Reader
from mdm.reading import search as read_search
from mdm.words import as_tsquery, lexemes, words

PATIENT, PAYER = ENTITY_TYPES["patient"], ENTITY_TYPES["payer"]
JOSE = {"given_name": "José María", "family_name": "O'Brien-Müller", "birth_date": "1980-02-09", "phone": "617-253-1000"}


def test_words_are_folded_and_parted_by_whatever_is_no_letter():
    assert words("O'Brien-Müller, JOSÉ  0100-007110") == ("o", "brien", "muller", "jose", "0100", "007110")
    assert words("北京 医院") == ("北京", "医院")
    assert words("-- ()") == ()


def test_an_index_holds_searchable_values_under_their_attribute():
    held = lexemes(PATIENT, {"family_name": "Rivera", "city": "Boston", "birth_date": "1980-02-09"})
    assert held == [f"patient.birth_date={form}" for form in ("02", "09", "1980", "2", "9")] + ["patient.family_name=rivera"]


@pytest.fixture
def jose(clean_database, deliver):
    return deliver("ehr-north", "1", **JOSE).golden_id


@pytest.mark.parametrize(
    ("text", "finds"),
    [
        ("jose", True),
        ("mull mar", True),
        ("brien, José", True),
        ("O'Brien", True),
        ("rien", False),
        ("jose smith", False),
        ("1980-02-09", True),
        ("2/9/1980", True),
        ("617-253-1000", True),
        ("(617) 253 1000", True),
        ("12 Main", False),
        ("'|:*&!(", False),
        ("x' | 'patient", False),
    ],
)
def test_what_a_text_finds(clean_database, jose, text, finds):
    reader = Reader(SYSTEM_ACTOR, "test")
    page = clean_database.run(lambda s: read_search(s, PATIENT, reader, Question(text, {}, 10)))
    assert [hit.id for hit in page.items] == ([jose] if finds else [])


def test_attributes_are_asked_one_by_one(clean_database, jose):
    def found(**attributes):
        return [hit.id for hit in clean_database.run(lambda s: search(s, PATIENT, attributes=attributes)).items]

    assert found(family_name="brien", given_name="jos") == [jose]
    assert found(family_name="jose") == []
    assert found(birth_date="1980", family_name="muller") == [jose]


def test_a_code_is_found_without_its_zeros(clean_database, deliver):
    made = deliver("erp-north", "7", domain="payer", name="Plan 007110 of Boston").golden_id
    assert [hit.id for hit in clean_database.run(lambda s: search(s, PAYER, text="7110")).items] == [made]


def test_words_follow_the_values(clean_database, deliver, jose):
    deliver("ehr-north", "1", **{**JOSE, "family_name": "Smith"})
    assert [hit.id for hit in clean_database.run(lambda s: search(s, PATIENT, text="jose smith")).items] == [jose]
    assert clean_database.run(lambda s: search(s, PATIENT, text="muller")).items == ()


def test_words_are_made_anew(clean_database, jose):
    clean_database.run(lambda s: execute(s, "update golden_version set words = ''"))
    assert clean_database.run(lambda s: search(s, PATIENT, text="jose")).items == ()
    assert (old_words.repair(clean_database), old_words.repair(clean_database)) == (1, 0)
    assert [hit.id for hit in clean_database.run(lambda s: search(s, PATIENT, text="jose")).items] == [jose]


def test_a_search_without_a_word_asks_nothing():
    assert as_tsquery(PATIENT, "--", {}) == ""
    assert as_tsquery(PATIENT, "smith", {"birth_date": "--"}) == ""
