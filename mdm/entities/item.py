"""Items: what is bought, stocked and charged. Another pack or another size is another item, however alike the rest is."""

from matching.levels import contains, jaccard, near_amount, part, same, shares, soft_contains, soft_jaccard, within_edits
from matching.model import BlockingRule, Model, Thresholds, Veto
from mdm.entities._evidence import compared, cross_reference, level, same_or_not
from mdm.entity import Attribute, EntityType, IdentifierRule, RelationshipRule, Survive
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

_PART_NUMBER = compared(
    "part number",
    "identifier",
    level("same", 0.982, 0.0012, same("manufacturer_part_number")),
    # One sign off is how a maker numbers the next size or colour, so a typing error is the less likely reading.
    level("one sign off", 0.0055, 0.01, within_edits("manufacturer_part_number", 1)),
    needs="manufacturer_part_number",
)

_DESCRIPTION = compared(
    "description",
    "content",
    level("same", 0.32, 0.00008, same("description"), jaccard("description.tokens", 1.0)),
    level("nearly the same words", 0.24, 0.0003, soft_jaccard("description.tokens", 0.8)),
    level("most words shared", 0.2, 0.0012, soft_jaccard("description.tokens", 0.6)),
    level("one is part of the other", 0.08, 0.0012, soft_contains("description.tokens", 0.9)),
    level("half of the words shared", 0.1, 0.005, soft_jaccard("description.tokens", 0.42)),
    level("some words shared", 0.045, 0.03, soft_jaccard("description.tokens", 0.25)),
    needs="description.tokens",
)

_MANUFACTURER = compared(
    "manufacturer",
    "name",
    level("same", 0.7, 0.04, same("manufacturer")),
    level("alike", 0.15, 0.012, soft_jaccard("manufacturer.tokens", 0.6), soft_contains("manufacturer.tokens", 0.95)),
    needs="manufacturer",
)

_PACK = (
    compared(
        "pack quantity", "packaging", level("same", 0.99, 0.3, same("pack_quantity")), needs="pack_quantity", otherwise="another count"
    ),
    # Names of packs differ for one count (BX or PK of 100); without a count, BX and CS are another pack.
    same_or_not("pack unit", "pack_unit", "packaging", m=0.93, u=0.4, unless=("pack quantity", "same")),
    compared(
        "pack in the text",
        "packaging",
        level("same", 0.98, 0.25, same("description.pack")),
        needs="description.pack",
        otherwise="another count",
    ),
)

_TRAITS = (
    compared(
        "sizes",
        "content",
        level("same", 0.86, 0.12, jaccard("description.quantities", 1.0)),
        level("none contradicts", 0.1, 0.06, contains("description.quantities", 1.0)),
        level("some shared", 0.035, 0.3, shares("description.quantities")),
        needs="description.quantities",
    ),
    compared(
        "numbers",
        "content",
        level("same", 0.72, 0.15, jaccard("description.numbers", 1.0)),
        level("none contradicts", 0.2, 0.1, contains("description.numbers", 1.0)),
        level("some shared", 0.06, 0.2, shares("description.numbers")),
        needs="description.numbers",
        unless=("sizes", "same"),
    ),
    compared(
        "side, size, sterility",
        "content",
        level("same", 0.85, 0.35, jaccard("description.traits", 1.0)),
        level("none contradicts", 0.13, 0.15, contains("description.traits", 1.0)),
        needs="description.traits",
    ),
    same_or_not("latex", "latex_free", "content", m=0.97, u=0.6),
    same_or_not("sterile", "sterile", "content", m=0.97, u=0.55),
    same_or_not("implantable", "implantable", "content", m=0.99, u=0.85),
)

_COMPARISONS = (
    _PART_NUMBER,
    _DESCRIPTION,
    _MANUFACTURER,
    compared(
        "part numbers in the texts",
        "identifier",
        level("shared", 0.6, 0.003, shares("description.parts")),
        needs="description.parts",
        unless=("part number", "same"),
    ),
    same_or_not("supplier's part number", "supplier_part_number", "identifier", m=0.7, u=0.002),
    *_PACK,
    *_TRAITS,
    compared(
        "price",
        "price",
        level("same", 0.4, 0.02, near_amount("unit_price", 0.98)),
        level("within a tenth", 0.35, 0.08, near_amount("unit_price", 0.9)),
        level("within a quarter", 0.15, 0.15, near_amount("unit_price", 0.75)),
        level("within half", 0.07, 0.25, near_amount("unit_price", 0.5)),
        needs="unit_price",
    ),
    same_or_not("GTIN", "gtin", "identifier", m=0.5, u=0.00003),
    same_or_not("UDI device identifier", "udi_di", "identifier", m=0.5, u=0.00003),
    same_or_not("HIBCC code", "hibcc", "identifier", m=0.5, u=0.00005),
    same_or_not("NDC", "ndc", "identifier", m=0.9, u=0.0002),
    cross_reference(),
)

_BLOCKING = (
    BlockingRule("key", (part("keys"),)),
    BlockingRule("GTIN", (part("gtin"),)),
    BlockingRule("UDI device identifier", (part("udi_di"),)),
    BlockingRule("HIBCC code", (part("hibcc"),)),
    BlockingRule("NDC", (part("ndc"),)),
    BlockingRule("part number", (part("manufacturer_part_number"),)),
    BlockingRule("supplier's part number", (part("supplier_part_number"),)),
    BlockingRule("part number in the text", (part("description.parts"),)),
    BlockingRule("description", (part("description"),)),
    BlockingRule("word, manufacturer", (part("description.tokens"), part("manufacturer", 0, 4))),
    BlockingRule("word", (part("description.tokens"),)),
)

_MODEL = Model(
    version="item-1",
    prior=-11.0,
    comparisons=_COMPARISONS,
    blocking=_BLOCKING,
    thresholds=Thresholds(review=0.0, link=7.0),
    vetoes=(
        Veto("two pack quantities", conflict=("pack_quantity",)),
        Veto("two packs in the texts", conflict=("description.pack",)),
        Veto("two base units", conflict=("base_unit",)),
        Veto("two sizes", conflict=("description.quantities",)),
        Veto("sterile and not sterile", conflict=("sterile",)),
        Veto("two drug codes", conflict=("ndc",)),
    ),
    clip=13.0,
)

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
        RelationshipRule("made_by", "supplier", "makes"),
        RelationshipRule("other_pack_of", "item", "other_packs"),
    ),
    overlay_below=-8.0,
)
