"""Cost centers. Company and code name one; the same code in another company is another one, and a code may be used again years later."""

from matching.levels import alike, part, same
from matching.model import BlockingRule, Model, Thresholds, Veto
from mdm.entities._evidence import compared, cross_reference, ledger_code, ledger_name, level, same_or_not
from mdm.entity import REPLACED_BY, Attribute, EntityType, RelationshipRule, replacement
from mdm.values.code import CODE
from mdm.values.department_name import COST_CENTER_NAME
from mdm.values.flag import FLAG
from mdm.values.text import LABEL, TEXT

_ATTRIBUTES = (
    Attribute("name", COST_CENTER_NAME, required=True, searchable=True),
    Attribute("company", CODE, searchable=True, help="Company, set id or controlling area: the code means nothing without it."),
    Attribute("code", CODE, searchable=True, help="Leading zeros count."),
    Attribute("parent_code", CODE),
    Attribute("manager", TEXT),
    Attribute("type", LABEL),
    Attribute("posting_allowed", FLAG),
    Attribute("medicare_line", CODE, help="Line of the Medicare cost report (CMS-2552)."),
)

_COMPARISONS = (
    cross_reference(),
    ledger_code(),
    same_or_not("company", "company", "identifier", m=0.998, u=0.45),
    ledger_name(part_u=0.012, many_u=0.02, some_u=0.08),
    same_or_not("Medicare line", "medicare_line", "content", m=0.9, u=0.1),
    compared(
        "manager", "content", level("same", 0.6, 0.05, same("manager")), level("alike", 0.1, 0.02, alike("manager", 0.9)), needs="manager"
    ),
    same_or_not("parent", "parent_code.bare", "content", m=0.7, u=0.1),
)

_BLOCKING = (
    BlockingRule("key", (part("keys"),)),
    BlockingRule("company, code", (part("company"), part("code.bare"))),
    BlockingRule("code", (part("code.bare"),)),
    BlockingRule("name", (part("name"),)),
    BlockingRule("word, company", (part("name.tokens"), part("company"))),
    BlockingRule("two words", (part("name.tokens"), part("name.tokens")), crossed=True),
)

_MODEL = Model(
    version="cost-center-2",
    prior=-8.0,
    comparisons=_COMPARISONS,
    blocking=_BLOCKING,
    thresholds=Thresholds(review=-1.0, link=6.0),
    vetoes=(
        Veto("two codes of one chart", conflict=("keys",), agree=("system",)),
        Veto("two companies", conflict=("company",)),
        Veto("two codes of one company", conflict=("code.bare",), agree=("company",)),
    ),
    clip=12.0,
)

ENTITY = EntityType(
    name="cost_center",
    plural="cost_centers",
    label="Cost center",
    help="Where costs are collected, as finance defines it.",
    attributes=_ATTRIBUTES,
    identifiers=(),
    model=_MODEL,
    display=("code", "name", "company"),
    authorities=(*((attribute.name, ("erp",)) for attribute in _ATTRIBUTES), ("rolls_up_to", ("erp",)), (REPLACED_BY, ("erp",))),
    relationships=(
        RelationshipRule("rolls_up_to", "cost_center", "rolls_up", hierarchy=True, help="Its parent in one of finance's trees."),
        replacement("cost_center"),
    ),
    overlay_below=-3.0,
)
