"""Descriptions of items: words, quantities, part numbers, pack sizes, traits."""

import pytest

from mdm.values.text import DESCRIPTION, LABEL, TEXT


@pytest.mark.parametrize(
    ("text", "pack"),
    [
        ("Gloves nitrile, box of 100", "100"),
        ("Gloves nitrile 100/bx", "100"),
        ("Gloves nitrile BX/100", "100"),
        ("Gloves nitrile bx100", "100"),
        ("Gloves nitrile 100 per box", "100"),
        ("Gloves nitrile 100 ea/box", "100"),
        ("Gloves nitrile 100ct BX", "100"),
        ("Gloves nitrile 1,000/CS", "1000"),
        ("Gauze 12 a case", "12"),
        ("Gauze, dozen", "12"),
        ("Gauze 2 dozen", "24"),
        ("Catheter 16Fr", None),
        ("IV bag 1000 mL", None),
        ("Kit 3", None),
    ],
)
def test_the_pack_that_a_text_states(text: str, pack: str | None) -> None:
    assert DESCRIPTION.features(text).get("pack") == pack


def test_how_a_pack_is_written_does_not_change_the_words() -> None:
    one, other = DESCRIPTION.features("Gloves nitrile 100/bx"), DESCRIPTION.features("Gloves nitrile, box of 100")
    assert one["tokens"] == other["tokens"] == ("gloves", "nitrile")


@pytest.mark.parametrize(
    ("text", "quantities"),
    [
        ("Catheter 16 Fr 5 cc", ("16fr", "5ml")),
        ("Catheter 16FR 5.0mL", ("16fr", "5ml")),
        ("Needle 22 gauge 1.5 inch", ("1.5in", "22ga")),
        ('Needle 22G 1.5"', ("1.5in", "22ga")),
        ("Bandage 4 in x 5 yards", ("4in", "5yd")),
        ("Saline 0.9% 1,000 mL", ("1000ml",)),
        ("3M tape 10 cm", ("10cm",)),
    ],
)
def test_a_quantity_is_one_word(text: str, quantities: tuple[str, ...]) -> None:
    assert DESCRIPTION.features(text)["quantities"] == quantities


def test_part_numbers_are_found_split_and_joined() -> None:
    features = DESCRIPTION.features("Monitor KDC-C669 500 GB 77-0045")
    assert features["parts"] == ("500gb", "770045", "c669", "kdcc669")[1:]
    assert {"kdc", "c669", "kdcc669"} <= set(features["tokens"])


def test_traits_have_one_word_each() -> None:
    assert DESCRIPTION.features("Glove LT x-large Non-Sterile latex free")["traits"] == ("latexfree", "left", "nonsterile", "xl")
    assert DESCRIPTION.features("Glove left XL sterile")["traits"] == ("left", "sterile", "xl")


def test_plain_text_is_compared_folded() -> None:
    assert TEXT.features("Café  Ø") == {"": "cafe o"}


def test_other_is_a_label_and_tbd_is_none() -> None:
    assert LABEL.read("other").is_evidence
    assert LABEL.read("TBD").problem == "placeholder"
