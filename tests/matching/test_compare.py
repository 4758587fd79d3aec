"""Measures over lists of words, where the declarations of domains do not show what they are for."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching.compare import cosine, phrase_cosine

WORDS = st.lists(st.sampled_from(["print", "shop", "printshop", "pro", "shoppro", "2"]), min_size=1, max_size=5, unique=True)


def bits(word: str) -> float:
    """Longer words are rarer here."""
    return 2.0 + len(word)


def with_neighbours(words: list[str]) -> tuple[str, ...]:
    return tuple(sorted([*words, *(f"{word} {behind}" for word, behind in pairwise(words))]))


@pytest.mark.parametrize(("left", "right"), [("print shop 2", "printshop 2"), ("the print shop", "the printshop"), ("pro", "pro")])
def test_words_written_together_or_apart_are_the_same(left: str, right: str) -> None:
    assert phrase_cosine(with_neighbours(left.split()), with_neighbours(right.split()), bits) == 1.0


def test_a_word_that_both_sides_have_stays_beside_the_joined_one() -> None:
    """Of shop and print shop, only print is what the other side writes together with it."""
    left, right = with_neighbours(["print", "shop"]), with_neighbours(["printshop", "shop"])
    assert phrase_cosine(left, right, bits) == cosine(("printshop", "shop"), ("printshop", "shop"), bits)


@given(WORDS, WORDS)
def test_it_is_the_plain_cosine_where_nothing_is_joined_and_the_same_both_ways(left: list[str], right: list[str]) -> None:
    plain = phrase_cosine(tuple(left), tuple(right), bits)
    assert plain == cosine(left, right, bits)
    one, other = with_neighbours(left), with_neighbours(right)
    assert phrase_cosine(one, other, bits) == phrase_cosine(other, one, bits)
