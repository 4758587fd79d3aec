"""Accounts: values of a general ledger's segments. Chart and code name one; names only confirm."""

from matching.levels import part
from matching.model import BlockingRule, Model, Thresholds, Veto
from mdm.entities._evidence import cross_reference, ledger_code, ledger_name, same_or_not
from mdm.entity import Attribute, EntityType, RelationshipRule, replacement
from mdm.values.code import CODE
from mdm.values.department_name import ACCOUNT_NAME
from mdm.values.flag import FLAG
from mdm.values.text import LABEL

_ATTRIBUTES = (
    Attribute("name", ACCOUNT_NAME, required=True, searchable=True),
    Attribute("chart", CODE, searchable=True, help="Chart of accounts and segment: the code means nothing without it."),
    Attribute("code", CODE, searchable=True, help="Leading zeros count."),
    Attribute("type", LABEL, choices=("asset", "liability", "equity", "revenue", "expense", "statistical")),
    Attribute("normal_balance", LABEL, choices=("debit", "credit")),
    Attribute("postable", FLAG),
    Attribute("parent_code", CODE),
)

_COMPARISONS = (
    cross_reference(),
    ledger_code(),
    same_or_not("chart", "chart", "identifier", m=0.998, u=0.45),
    ledger_name(part_u=0.02, many_u=0.04, some_u=0.12),
    same_or_not("type", "type", "content", m=0.98, u=0.3),
    same_or_not("normal balance", "normal_balance", "content", m=0.98, u=0.75),
    same_or_not("parent", "parent_code.bare", "content", m=0.7, u=0.1),
)

_BLOCKING = (
    BlockingRule("key", (part("keys"),)),
    BlockingRule("chart, code", (part("chart"), part("code.bare"))),
    BlockingRule("code", (part("code.bare"),)),
    BlockingRule("name", (part("name"),)),
    BlockingRule("word, chart", (part("name.tokens"), part("chart"))),
    BlockingRule("two words", (part("name.tokens"), part("name.tokens")), crossed=True),
)

_MODEL = Model(
    version="account-2",
    prior=-8.0,
    comparisons=_COMPARISONS,
    blocking=_BLOCKING,
    thresholds=Thresholds(review=-1.0, link=6.0),
    vetoes=(
        Veto("two codes of one chart", conflict=("keys",), agree=("system",)),
        Veto("two charts", conflict=("chart",)),
        Veto("two codes of one named chart", conflict=("code.bare",), agree=("chart",)),
        Veto("two types", conflict=("type",)),
    ),
    clip=12.0,
)

ENTITY = EntityType(
    name="account",
    plural="accounts",
    label="Account",
    help="A value of a segment of the general ledger.",
    attributes=_ATTRIBUTES,
    identifiers=(),
    model=_MODEL,
    display=("code", "name", "chart"),
    authorities=tuple((attribute.name, ("erp",)) for attribute in _ATTRIBUTES),
    relationships=(RelationshipRule("rolls_up_to", "account", "rolls_up", hierarchy=True), replacement("account")),
    overlay_below=-3.0,
)
