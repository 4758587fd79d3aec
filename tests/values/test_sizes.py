"""Sizes that a description states: one text per dimension, so that another size is another text and an unstated one says nothing."""

import pytest

from mdm.values.text import DESCRIPTION


@pytest.mark.parametrize(
    ("text", "dimension", "size"),
    [
        ("Catheter Foley 12 Fr 5 mL", "caliber", "12fr"),
        ("Catheter Foley 12 Fr 5 cc", "volume", "5ml"),
        ("Saline bag 1 L", "volume", "1000ml"),
        ("Saline bag 1,000 mL", "volume", "1000ml"),
        ("Stent 3.0 mm x 15 mm", "length", "15mm 3mm"),
        ("Sheath 11 cm", "length", "110mm"),
        ("Needle 25 ga x 5/8 in", "length", "0.625in"),
        ('Needle 22 ga 1-1/2"', "length", "1.5in"),
        ("Bandage 1 ft", "length", "12in"),
        ("Tablet 0.5 mg", "strength", "500mcg"),
        ("Splint wrist LT large", "side", "left"),
        ("Glove exam x-large", "fit", "xl"),
        ("Electrode pads, peds", "wearer", "pediatric"),
        ("Needle hypodermic 18G", "caliber", "18ga"),
        ("Ointment tube 18 g", "strength", "18000000mcg"),
        ("Suture silk 3-0 18 in", "caliber", "3-0"),
        ("Suture silk 3/0", "caliber", "3-0"),
        ("Gauze sponge 4x4", "area", "4x4"),
        ('Gauze sponge 8" x 4"', "area", "4x8"),
        ("Dressing 2 x 2 in.", "area", "2x2"),
        ("Glove exam M", "fit", "medium"),
        ("Glove exam (L)", "fit", "large"),
        ("Brace knee size L", "fit", "large"),
        ("Splint wrist L", "side", "left"),
        ("Splint wrist R", "side", "right"),
        ("Splint wrist R", "letter", "r"),
        ("Gown XXXL", "fit", "3xl"),
        ("Gown 3X-large", "fit", "3xl"),
        ("Gown XX-Large", "fit", "2xl"),
        ("Gown 2X", "fit", "2xl"),
        ("Gauze non-sterile", "sterile", "false"),
        ("Gauze sterile", "sterile", "true"),
        ("Glove latex", "latex_free", "false"),
        ("Glove latex-free", "latex_free", "true"),
        ("Glove not made with natural rubber latex", "latex_free", "true"),
    ],
)
def test_a_size_has_one_text_however_it_is_written(text: str, dimension: str, size: str) -> None:
    assert DESCRIPTION.features(text)[dimension] == size


def test_neighbouring_sizes_differ_in_one_dimension_and_agree_in_the_other() -> None:
    one, other = DESCRIPTION.features("Catheter 12 Fr 5 ml"), DESCRIPTION.features("Catheter 18 Fr 5 ml")
    assert one["caliber"] != other["caliber"]
    assert one["volume"] == other["volume"]


@pytest.mark.parametrize(
    "dimension",
    [*("caliber", "volume", "length", "strength", "side", "fit", "wearer", "sizes"), *("area", "letter", "sterile", "latex_free")],
)
def test_what_a_text_does_not_state_has_no_column(dimension: str) -> None:
    assert dimension not in DESCRIPTION.features("Gauze sponge woven")


@pytest.mark.parametrize(
    ("text", "dimension"),
    [("Brief, men's", "letter"), ("Strap Velcro(R)", "letter"), ("Dressing 10 x 10 cm", "area"), ("Gauze w/ s/m", "letter")],
)
def test_what_only_looks_like_a_size_is_none(text: str, dimension: str) -> None:
    assert dimension not in DESCRIPTION.features(text)


def test_all_sizes_together_are_one_text_in_one_order() -> None:
    one, other = DESCRIPTION.features("Sheath 7 Fr x 20 cm left"), DESCRIPTION.features("LEFT SHEATH 200MM 7FR")
    assert one["sizes"] == other["sizes"] == "7fr 200mm left"


@pytest.mark.parametrize(("text", "numbers"), [("Needle 2.5mm", None), ("Glove 6.5", ("6.5",)), ("Head 28 mm +4", ("4",))])
def test_the_beginning_of_a_decimal_quantity_is_no_number(text: str, numbers: tuple[str, ...] | None) -> None:
    assert DESCRIPTION.features(text).get("numbers") == numbers


def test_a_pair_is_a_pack() -> None:
    assert DESCRIPTION.features("Glove surgical 6.5, 2/PR")["pack"] == "2"
