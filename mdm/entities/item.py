"""Items: what is bought, stocked and charged. Another pack or another size is another item, however alike the rest is."""

from collections.abc import Callable, Mapping
from itertools import pairwise

from matching.compare import Value
from matching.levels import (
    contains,
    cosine,
    jaccard,
    near_amount,
    part,
    phrases_alike,
    same,
    shares,
    shares_rare,
    soft_contains,
    soft_jaccard,
    stands_in,
    within_edits,
)
from matching.model import BlockingRule, Comparison, Model, Test, Thresholds, Veto
from mdm.entities._evidence import compared, cross_reference, level, same_or_not
from mdm.entity import Attribute, EntityType, IdentifierRule, RelationshipRule, Survive, replacement
from mdm.values.flag import FLAG
from mdm.values.money import MONEY
from mdm.values.number import NUMBER
from mdm.values.organisation_name import ORGANISATION_NAME
from mdm.values.part_number import PART_NUMBER
from mdm.values.text import DESCRIPTION, LABEL
from mdm.values.unit import UNIT_OF_MEASURE

_ATTRIBUTES = (
    Attribute("description", DESCRIPTION, required=True, survive=Survive.LONGEST, searchable=True),
    Attribute("long_description", DESCRIPTION, survive=Survive.LONGEST, searchable=True),
    Attribute("manufacturer", ORGANISATION_NAME, survive=Survive.MOST_FREQUENT, searchable=True),
    Attribute("manufacturer_part_number", PART_NUMBER, survive=Survive.MOST_FREQUENT, searchable=True),
    Attribute("supplier", ORGANISATION_NAME),
    Attribute("supplier_part_number", PART_NUMBER, searchable=True),
    Attribute("base_unit", UNIT_OF_MEASURE, group="packaging", survive=Survive.MOST_COMPLETE),
    Attribute("pack_unit", UNIT_OF_MEASURE, group="packaging", survive=Survive.MOST_COMPLETE),
    Attribute("pack_quantity", NUMBER, group="packaging", survive=Survive.MOST_COMPLETE, help="Base units in one pack."),
    Attribute("unit_price", MONEY, help="Of one pack."),
    Attribute("latex_free", FLAG),
    Attribute("sterile", FLAG),
    Attribute("implantable", FLAG),
    Attribute("chargeable", FLAG),
    Attribute("category", LABEL),
)

# What the maker counts or measures differently is another item, however alike the rest is: below this share nothing makes up for it.
_NEVER = 1e-6


def _one_of_a_kind(name: str, column: str, *, m: float, u: float) -> Comparison:
    """An identifier of one pack of one product; another one is a strong sign of another item."""
    return same_or_not(name, column, "identifier", m=m, u=u)


def _statement(name: str, column: str, *, m: float, u: float) -> Comparison:
    """What both texts state must agree word for word; where only one states it, that says nothing."""
    return compared(name, "content", level("same", m, u, same(column)), needs=column)


_IDENTIFIERS = (
    cross_reference(),
    _one_of_a_kind("GTIN", "gtin", m=0.97, u=0.00001),
    _one_of_a_kind("UDI device identifier", "udi_di", m=0.95, u=0.00003),
    _one_of_a_kind("HIBCC code", "hibcc", m=0.95, u=0.00005),
    _one_of_a_kind("NDC", "ndc", m=0.97, u=0.0002),
    same_or_not("supplier's part number", "supplier_part_number", "identifier", m=0.7, u=0.002),
    compared(
        "part number",
        "identifier",
        # How much sharing one says depends on how many have it: M310 names a family, and stands in its bundles and spare parts as well.
        level("same, of few", 0.5, 0.0004, shares_rare("parts", 11.5)),
        level("same, of some", 0.2, 0.00016, shares_rare("parts", 9.0)),
        level("same", 0.272, 0.00023, shares("parts")),
        level("stands in the other text", 0.01, 0.02, stands_in("parts", "joined")),
        # One sign off is how a maker numbers the next size or colour, so a typing error is the less likely reading.
        level("one sign off", 0.01, 0.1, within_edits("parts", 1)),
        needs="parts",
    ),
)

_PACK = (
    compared("pack", "packaging", level("same", 1 - 2 * _NEVER, 0.3, same("pack")), needs="pack", otherwise="another count"),
    # Names of packs differ for one count (BX or PK of 100); without a count, BX and CS are another pack.
    same_or_not("pack unit", "pack_unit", "packaging", m=0.93, u=0.4, unless=("pack", "same")),
    compared("base unit", "packaging", level("same", 0.99, 0.9, same("base_unit")), needs="base_unit"),
)

_SIZES = (
    _statement("caliber", "description.caliber", m=0.998, u=0.2),
    _statement("volume", "description.volume", m=0.995, u=0.2),
    _statement("length", "description.length", m=0.99, u=0.15),
    _statement("strength", "description.strength", m=0.995, u=0.15),
    _statement("side", "description.side", m=0.998, u=0.5),
    _statement("fit", "description.fit", m=0.995, u=0.25),
    _statement("wearer", "description.wearer", m=0.995, u=0.5),
    _statement("area", "description.area", m=0.99, u=0.3),
    compared(
        "numbers",
        "content",
        level("same", 0.9, 0.15, jaccard("description.numbers", 1.0)),
        level("none contradicts", 0.09, 0.1, contains("description.numbers", 1.0)),
        level("some in common", 0.006, 0.1, shares("description.numbers")),
        needs="description.numbers",
        otherwise="each has its own",
    ),
    same_or_not("latex", "latex_free", "content", m=0.97, u=0.6),
    same_or_not("sterile", "sterile", "content", m=0.98, u=0.55),
    same_or_not("implantable", "implantable", "content", m=0.99, u=0.85),
)

_PRICE = compared(
    "price",
    "price",
    level("same", 0.4, 0.06, near_amount("unit_price", 0.98)),
    level("within a tenth", 0.45, 0.12, near_amount("unit_price", 0.9)),
    level("within a quarter", 0.09, 0.15, near_amount("unit_price", 0.75)),
    level("within 40 percent", 0.035, 0.15, near_amount("unit_price", 0.6)),
    level("within 60 percent", 0.015, 0.2, near_amount("unit_price", 0.4)),
    needs="unit_price",
)

_MANUFACTURER = compared(
    "manufacturer",
    "name",
    level("same", 0.7, 0.04, same("manufacturer")),
    level("alike", 0.22, 0.02, soft_jaccard("manufacturer.tokens", 0.6), soft_contains("manufacturer.tokens", 0.95)),
    needs="manufacturer",
)


def _likeness(name: str, needs: str, tests: Callable[[float], tuple[Test, ...]], *steps: tuple[float, float, float]) -> Comparison:
    """A text's cosine in steps of (at least, m, u)."""
    levels = (level(f"{at_least:.2g} alike", m, u, *tests(at_least)) for at_least, m, u in steps)
    return compared(name, "content", *levels, needs=needs, otherwise="hardly alike")


# Words alone identify nothing, so they support: the next size, colour or pack reads alike. Letters see what is spelt otherwise, those of
# the text without its blanks what is joined otherwise; alone they would see likeness across words where there is none.
_TEXTS = (
    _likeness(
        "words",
        "phrases",
        lambda at_least: (phrases_alike("phrases", at_least),),
        *((0.85, 0.3, 0.012), (0.7, 0.22, 0.015), (0.6, 0.15, 0.015), (0.5, 0.12, 0.02)),
        *((0.4, 0.09, 0.03), (0.3, 0.06, 0.06), (0.2, 0.04, 0.1), (0.1, 0.015, 0.2)),
    ),
    _likeness(
        "letters",
        "letters",
        lambda at_least: (cosine("letters", at_least), cosine("letters_joined", at_least)),
        *((0.85, 0.35, 0.012), (0.7, 0.25, 0.015), (0.6, 0.15, 0.02), (0.5, 0.1, 0.03)),
        *((0.4, 0.07, 0.06), (0.3, 0.045, 0.11), (0.2, 0.025, 0.25), (0.1, 0.008, 0.35)),
    ),
    _likeness(
        "long description",
        "long_description.tokens",
        lambda at_least: (cosine("long_description.tokens", at_least),),
        *((0.75, 0.15, 0.02), (0.5, 0.2, 0.04), (0.35, 0.2, 0.06), (0.2, 0.2, 0.15), (0.1, 0.15, 0.28), (0.05, 0.06, 0.2)),
    ),
)

_BLOCKING = (
    BlockingRule("key", (part("keys"),)),
    BlockingRule("GTIN", (part("gtin"),)),
    BlockingRule("UDI device identifier", (part("udi_di"),)),
    BlockingRule("HIBCC code", (part("hibcc"),)),
    BlockingRule("NDC", (part("ndc"),)),
    BlockingRule("part number", (part("parts"),)),
    BlockingRule("supplier's part number", (part("supplier_part_number"),)),
    BlockingRule("description", (part("description"),)),
    BlockingRule("word", (part("words"),), holders_max=20),
    BlockingRule("sizes, maker", (part("description.sizes"), part("manufacturer", 0, 4))),
    # Of the largest makers only this one stays below the cap.
    BlockingRule("sizes, maker, pack", (part("description.sizes"), part("manufacturer", 0, 4), part("pack_quantity"))),
)

_MODEL = Model(
    version="item-5",
    prior=-11.0,
    # The decisive and cheap ones first: the scorer stops as soon as the rest cannot reach a review.
    comparisons=(*_IDENTIFIERS, *_PACK, *_SIZES, _PRICE, _MANUFACTURER, *_TEXTS),
    blocking=_BLOCKING,
    thresholds=Thresholds(review=2.0, link=7.0),
    vetoes=(
        Veto("two packs", conflict=("pack",)),
        # BX and CS without a count are another pack whatever the texts count; BX and PK may be one, which is for a person to say.
        Veto("two pack units", conflict=("unit_alone",)),
        # A GTIN in common names the pack that one side does not tell.
        Veto("one pack unknown", conflict=("sold_as",), lifted_by=("gtin",)),
        Veto("two base units", conflict=("base_unit",)),
        Veto("two calibers", conflict=("description.caliber",)),
        Veto("two volumes", conflict=("description.volume",)),
        Veto("two lengths", conflict=("description.length",)),
        Veto("two strengths", conflict=("description.strength",)),
        Veto("left and right", conflict=("description.side",)),
        Veto("two fits", conflict=("description.fit",)),
        Veto("adult and child", conflict=("description.wearer",)),
        Veto("two areas", conflict=("description.area",)),
        Veto("two letters of size or side", conflict=("description.letter",)),
        Veto("sterile and not sterile", conflict=("sterile",)),
        Veto("latex and latex-free", conflict=("latex_free",)),
        Veto("two drug codes", conflict=("ndc",)),
        # A GTIN is given to one packaging level of one product (GS1), and a record that is silent on its pack may still have one.
        Veto("two GTINs", conflict=("gtin",)),
    ),
    # Between two files only a partner that is nearly as good holds a pair back: the vetoes keep siblings apart.
    margin=0.45,
    clip=13.0,
)

_HOLD_SEVERAL = frozenset({"bx", "cs", "pk", "ct", "pl", "cr"})
_EACH = {"ea": 1, "pr": 2, "dz": 12, "hu": 100, "gr": 144, "th": 1000}
_GRAM = 3


def _derived(columns: Mapping[str, Value]) -> Mapping[str, Value]:
    """What needs several attributes: all words, all part numbers, the pack, flags that only the text raises, the letters of it all."""
    part_number = _texts(columns, "manufacturer_part_number")
    text = " ".join([*_texts(columns, "manufacturer"), *_texts(columns, "description"), *part_number]).split()
    words = _sorted(
        *_texts(columns, "description.tokens"),
        *_texts(columns, "manufacturer.tokens"),
        *part_number,
        *_texts(columns, "supplier_part_number"),
    )
    found: dict[str, Value] = {
        "words": words,
        "phrases": _sorted(*words, *(f"{word} {behind}" for word, behind in pairwise(text))) if words else (),
        "letters": _sorted(*(gram for word in text for gram in _grams(f" {word} "))),
        "letters_joined": _sorted(*_grams("".join(text))),
        "parts": _sorted(*_texts(columns, "description.parts"), *part_number),
        "joined": "".join(_texts(columns, "description")).replace(" ", ""),
        **_packaging(columns),
        **{flag: "".join(_texts(columns, flag) or _texts(columns, f"description.{flag}")) for flag in ("sterile", "latex_free")},
    }
    return {name: value for name, value in found.items() if value}


def _packaging(columns: Mapping[str, Value]) -> dict[str, Value]:
    """Base units in what is sold (`pack`), its unit where no column counts them, and in `sold_as` how far its pack is known.

    A 1 beside a unit that holds several is a default; there the text knows better.
    """
    told, text, unit = ("".join(_texts(columns, name)) for name in ("pack_quantity", "description.pack", "pack_unit"))
    stated = "" if told == "1" and _EACH.get(unit) != 1 else told
    pack = stated or text or told or str(_EACH.get(unit, ""))
    return {"pack": pack, "unit_alone": unit if stated in {"", "1"} else "", "sold_as": _sold_as(pack, unit)}


def _sold_as(pack: str, unit: str) -> tuple[str, ...]:
    """Known packs have `told` in common, so that they conflict as packs only; what tells none is taken for one each."""
    if pack in {"", "1"} and unit in _HOLD_SEVERAL:
        return ("several",)
    return (pack, "told") if pack else ("1",)


def _texts(columns: Mapping[str, Value], name: str) -> tuple[str, ...]:
    value = columns.get(name, ())
    return (value,) if isinstance(value, str) else value


def _sorted(*values: str) -> tuple[str, ...]:
    return tuple(sorted(set(values)))


def _grams(word: str) -> list[str]:
    return [word[start : start + _GRAM] for start in range(len(word) - _GRAM + 1)]


ENTITY = EntityType(
    name="item",
    plural="items",
    label="Item",
    help="A supply, device or drug that is bought, stocked or charged.",
    attributes=_ATTRIBUTES,
    identifiers=(
        IdentifierRule("gtin", "gs1-gtin", many=True, max_holders=6),
        IdentifierRule("udi_di", "udi-di", many=True, max_holders=6),
        IdentifierRule("hibcc", "hibcc", many=True, max_holders=6),
        IdentifierRule("ndc", "us-ndc", many=True, max_holders=6),
        IdentifierRule("hcpcs", "hcpcs", many=True, max_holders=1),
        IdentifierRule("unspsc", "unspsc", max_holders=1),
    ),
    model=_MODEL,
    display=("description", "manufacturer", "manufacturer_part_number", "pack_unit"),
    authorities=(
        ("description", ("supply_chain", "erp")),
        ("packaging", ("supply_chain", "erp")),
        ("unit_price", ("supply_chain", "erp")),
        ("udi_di", ("registry", "supply_chain")),
        ("ndc", ("registry", "supply_chain")),
        ("chargeable", ("billing",)),
    ),
    relationships=(
        RelationshipRule("supplied_by", "supplier", "supplies"),
        RelationshipRule("made_by", "supplier", "makes", one=True),
        RelationshipRule("other_pack_of", "item", "other_packs"),
        replacement("item"),
    ),
    overlay_below=-8.0,
    derived=_derived,
    derived_columns=("words", "phrases", "letters", "letters_joined", "parts", "joined", "pack", "unit_alone", "sold_as"),
)
