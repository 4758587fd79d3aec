"""How many a pack holds, as catalogues write it, and what only looks like it."""

import pytest

from mdm.values.description import description_parts

PACKS = [
    *(("Gauze, 12/BX", "12"), ("Gauze BX of 12", "12"), ("Gauze 12 per box", "12"), ("Gauze 12ct BX", "12"), ("Gauze CS/4", "4")),
    *(("Gauze box (12)", "12"), ("Gauze Box, 12", "12"), ("Gauze 12BX", "12"), ("Gauze 1 DZ", "12"), ("Gauze 12 EA/BX", "12")),
    ("Electrode 50 PK/25", "25"),
    ("Gauze 10/BX 10BX/CS", "100"),
    ("Gauze 12 EA/BX, 4 boxes per case", "48"),
    ("Memory card 2-pk - 97067", "2"),
    ("Game CS-50613 5 pack", "5"),
    *(("Mask 10x100/cs", "1000"), ("Mask 4 boxes of 250", "1000"), ("Mask case of 10 boxes of 100", "1000"), ("Mask cs/10x100", "1000")),
    *(("Mask case of 10 boxes, 100 per box", "1000"), ("Mask 4-pk of 25", "100"), ("Mask 10 boxes of 100/case", "1000")),
    *(("Mask half dozen", "6"), ("Mask 1/2 dozen", "6"), ("Mask dozen", "12"), ("Mask box of 2 dozen", "24"), ("Mask 12/DZ", "12")),
    *(("Mask pack of ten", "10"), ("Mask ten per box", "10"), ("Mask box of twenty-four", "24"), ("Mask two dozen per case", "24")),
    *(("Mask each", "1"), ("Mask EA", "1"), ("Mask 1/EA", "1"), ("Mask, 1 ea, blue", "1"), ("Mask sold by the each", "1")),
    *(("Tube size 6 each", "1"), ("Mask 50 EA", "50"), ("Bandage for each patient", ""), ("Bag soft in a box", "")),
    *(
        ("Labels 5 Pack (823930)", "5"),
        ("Adapter twin pack", "2"),
        ("Inserts 25 strips/pack", "25"),
        ("Stand TR72BX", ""),
        ("Fan RR-28PK-R1", ""),
    ),
    ("Gauze 4x4 200/bx", "200"),
    ("Reader 6-in-1", ""),
    ("Tubing 36-inches", ""),
]


@pytest.mark.parametrize(("text", "pack"), PACKS, ids=[text for text, _ in PACKS])
def test_the_pack_is_read(text: str, pack: str) -> None:
    assert description_parts(text).pack == pack


def test_the_words_of_a_pack_are_no_words_of_the_item() -> None:
    texts = ["Mask 10x100/cs", "Mask, 10 boxes of 100", "Mask case of ten boxes, 100 per box", "Mask each", "Mask 12/DZ"]
    assert {(parts.tokens, parts.numbers) for parts in map(description_parts, texts)} == {(("mask",), ())}


def test_a_number_with_a_word_is_no_part_number() -> None:
    assert description_parts("Projector MS612ST 3D-Ready 90-sheet 3-in-1").parts == ("ms612st",)


def test_inches_are_read_with_a_hyphen_and_not_in_six_in_one() -> None:
    assert description_parts("Roll 36-inches").length == "36in"
    assert description_parts("Reader 6-in-1").length == ""


def test_lg_is_a_size_but_not_at_the_beginning() -> None:
    assert description_parts("LG Electric Dryer").fit == ""
    assert description_parts("Glove exam LG").fit == "large"
