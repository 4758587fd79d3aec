"""Text: control characters, folding, masks."""

import pytest

from mdm.values.kind import Reading, clean_text, fold, keep_last
from mdm.values.placeholders import placeholders, says_nothing
from mdm.values.words import dictionary, expand, without


def test_control_and_invisible_characters_become_blanks() -> None:
    assert clean_text("  a\x00b\u202ec\u200b \t d\n") == "a b c d"


def test_folding_keeps_the_letters_that_have_an_ascii_form() -> None:
    assert fold("Straße Ærø Łódź Þór") == "strasse aero lodz thor"


def test_letters_without_an_ascii_form_disappear() -> None:
    assert fold("東京 Tower") == "tower"


PLAIN = ["  a  b ", "`quoted`", "TAB\there", "\x1fa\x1c", "line\nbreak", "~{}|", "A\x7fB", " "]


@pytest.mark.parametrize("text", PLAIN)
def test_the_short_way_for_ascii_is_the_long_way(text: str) -> None:
    # A letter beyond ASCII in front sends the same text the long way.
    assert clean_text("é " + text) == f"é {clean_text(text)}".strip()
    assert fold("é " + text) == f"e {fold(text)}".strip()


def test_a_mask_never_shows_a_short_value() -> None:
    assert keep_last(4)("12345678") == "••••5678"
    assert keep_last(2)("12") == "•••12"


def test_a_value_with_a_problem_is_no_evidence() -> None:
    assert Reading("x", "X").is_evidence
    assert not Reading("x", "X", "check_digit").is_evidence
    assert not Reading("x", None, "not_understood").is_evidence


def test_an_empty_text_is_absent_and_no_problem() -> None:
    from mdm.values import VALUE_TYPES

    for kind in VALUE_TYPES:
        assert kind.read("  ") == Reading("  ", None)


def test_repeated_digits_are_placeholders_of_their_length() -> None:
    assert {"000000000", "777777777"} <= placeholders("ssn")


def test_case_and_punctuation_do_not_hide_a_placeholder() -> None:
    assert says_nothing("text")("N/A") == says_nothing("text")(" not-Available. ") == "placeholder"
    assert says_nothing("text")("Nadia") is None


def test_the_longest_phrase_wins() -> None:
    meanings = dictionary({"med": "medical", "med surg, m s": "medical surgical"})
    assert expand(["med", "surg", "med"], meanings) == ["medical", "surgical", "medical"]


def test_a_phrase_with_two_meanings_is_refused() -> None:
    with pytest.raises(ValueError, match="two meanings"):
        dictionary({"pt": "patient", "ot, pt": "therapy"})


def test_the_last_word_is_never_dropped() -> None:
    assert without(["the"], {"the"}) == ["the"]
    assert without(["the", "clinic"], {"the"}) == ["clinic"]
