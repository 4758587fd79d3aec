"""Differences by sign: what is marked, what it is called, and what a mask still hides."""

import pytest

from mdm.difference import Span, difference, under_mask


def marked(spans):
    return [span.text for span in spans if span.differs]


@pytest.mark.parametrize(
    ("left", "right", "kind", "marks"),
    [
        ("MARIA", "MARIE", "1 edit", (["A"], ["E"])),
        ("Smyth", "Smythe", "1 edit", ([], ["e"])),
        ("Jonh", "John", "transposed", (["nh"], ["hn"])),
        ("O'Neil", "ONeil", "format only", (["'"], [])),
        ("", "Grayson", "missing", ([], [])),
        ("ANN", "ann", "case only", (["ANN"], ["ann"])),
        ("José", "Jose", "accent only", (["é"], ["e"])),
        ("00123", "123", "leading zero", (["00"], [])),
        ("אבג", "אבד", "1 edit", (["ג"], ["ד"])),
        ("👩‍⚕️ Ann", "👩‍🔬 Ann", "format only", (["👩‍⚕️"], ["👩‍🔬"])),
        ("1961-04-12", "1961-05-12", "1 digit", (["4"], ["5"])),
        ("Bravura Surgical", "BRAVURA SURG", "shortened", (["ical"], [])),
        ("Grayson", "Grayson", "exact", ([], [])),
    ],
)
def test_the_difference_is_marked_and_named(left, right, kind, marks):
    found = difference(left, right)
    assert (found.kind, (marked(found.left), marked(found.right))) == (kind, marks)


def test_another_form_of_a_name_is_told_by_its_kind():
    assert difference("Robert", "Bob", lambda a, b: {a, b} == {"Robert", "Bob"}).kind == "another form"
    assert difference("Robert", "Bob").kind == "different"


def test_an_accent_never_parts_from_its_letter():
    assert marked(difference("Zoe\u0301", "Zoe").left) == ["é"]


@pytest.mark.parametrize(
    ("left", "right", "mask", "shown"),
    [
        ("1961-04-12", "1961-05-12", "1961", "1961-•4-••"),
        ("123-45-4410", "123-45-4411", "•••-••-4410", "•••-••-4410"),
        ("123-45-4410", "987-65-4410", "•••-••-4410", "•••-••-4410"),  # more than four differ: the mask alone
        ("12 Oak Street", "13 Oak Street", "•••", "•••"),  # a mask without places shows nothing
        ("7", "8", "•", "•"),  # never the whole value
        ("MARIA", "MARIE", "MARIA", "MARIA"),
    ],
)
def test_a_mask_shows_what_differs_and_no_more(left, right, mask, shown):
    assert "".join(span.text for span in under_mask(difference(left, right).left, mask)) == shown


def test_signs_under_a_mask_are_still_marked():
    assert under_mask(difference("1961-04-12", "1961-05-12").left, "1961")[1] == Span("4", differs=True)
