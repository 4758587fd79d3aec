"""Payers: the organisations that pay for care. A payer id means something at its own clearinghouse only."""

from matching.levels import part, same, soft_jaccard, within_edits
from matching.model import BlockingRule, Comparison, Model, Thresholds, Veto
from mdm.entities._evidence import (
    compared,
    cross_reference,
    house_number,
    level,
    name_numbers,
    opposite_sides,
    organisation_name,
    postal_code,
    same_or_not,
    street,
    switchboard,
)
from mdm.entity import Attribute, EntityType, IdentifierRule, RelationshipRule, Survive, replacement
from mdm.values.address import ADDRESS_LINE, CITY, POSTAL_CODE, STATE
from mdm.values.organisation_name import ORGANISATION_NAME
from mdm.values.phone import PHONE
from mdm.values.text import LABEL, TEXT
from mdm.values.website import WEBSITE

_TYPES = ("commercial", "medicare_advantage", "medicare", "medicaid", "workers_comp", "auto", "self_pay", "other")

_ATTRIBUTES = (
    Attribute("name", ORGANISATION_NAME, required=True, searchable=True),
    Attribute("dba_name", ORGANISATION_NAME, label="Trade name", many=True, survive=Survive.ALL, searchable=True),
    Attribute("parent_name", ORGANISATION_NAME),
    Attribute("type", LABEL, choices=_TYPES),
    Attribute("address_line", ADDRESS_LINE, group="address", survive=Survive.MOST_COMPLETE, help="Where claims go."),
    Attribute("address_line_2", TEXT, group="address", survive=Survive.MOST_COMPLETE),
    Attribute("city", CITY, group="address", survive=Survive.MOST_COMPLETE),
    Attribute("state", STATE, group="address", survive=Survive.MOST_COMPLETE),
    Attribute("postal_code", POSTAL_CODE, group="address", survive=Survive.MOST_COMPLETE),
    Attribute("phone", PHONE, many=True, survive=Survive.ALL),
    Attribute("website", WEBSITE),
)


def _payer_id(name: str, column: str) -> Comparison:
    """Strong but not decisive: one id covers a whole group's plans at some clearinghouses. Another id is another payer, but for a slip."""
    slip = level("one slip", 0.07, 0.02, within_edits(column, 1))
    return compared(name, "identifier", level("same", 0.9299, 0.004, same(column)), slip, needs=column)


# The plans of one company share its address, telephone, web site and company code: all of that only confirms.
_COMPARISONS = (
    same_or_not("type", "type", "content", m=0.999, u=0.45),
    cross_reference(),
    _payer_id("payer id at Alpha Clearing", "payer_id"),
    _payer_id("payer id at Beta Exchange", "payer_id_b"),
    name_numbers("name"),
    organisation_name("name", same_u=0.0002, other_names="dba_name"),
    compared(
        "parent",
        "content",
        level("same", 0.8, 0.5, same("parent_name")),
        level("alike", 0.1, 0.1, soft_jaccard("parent_name.tokens", 0.6)),
        needs="parent_name",
    ),
    same_or_not("NAIC code", "naic", "identifier", m=0.85, u=0.3),
    same_or_not("EIN", "ein", "identifier", m=0.85, u=0.3),
    street(m=0.6, u=0.2),
    house_number(m=0.88, u=0.4),
    postal_code(m=0.7, u=0.3, area_u=0.12),
    switchboard(m=0.6, u=0.2),
    same_or_not("website", "website", "contact", m=0.85, u=0.3),
)

_BLOCKING = (
    BlockingRule("key", (part("keys"),)),
    BlockingRule("payer id at Alpha Clearing", (part("payer_id"),)),
    BlockingRule("payer id at Beta Exchange", (part("payer_id_b"),)),
    BlockingRule("NAIC code", (part("naic"),)),
    BlockingRule("EIN", (part("ein"),)),
    BlockingRule("name", (part("name"),)),
    BlockingRule("trade name", (part("dba_name"),)),
    BlockingRule("phone", (part("phone.local"),)),
    BlockingRule("website", (part("website"),)),
    BlockingRule("house number, postal code", (part("address_line.number"), part("postal_code"))),
    BlockingRule("neighbouring words", (part("name.pairs"),)),
    BlockingRule("beginning of the name", (part("name", 0, 7),)),
)

_MODEL = Model(
    version="payer-3",
    prior=-7.0,
    comparisons=_COMPARISONS,
    blocking=_BLOCKING,
    thresholds=Thresholds(review=-1.0, link=6.0),
    vetoes=(
        Veto("two types", conflict=("type",)),
        Veto("two lines of business", conflict=("name.lines",)),
        Veto("two numbers", conflict=("name.numbers",)),
        *opposite_sides("name"),
    ),
    clip=12.0,
    groups_needed=2,
    u_from="candidates",
)

ENTITY = EntityType(
    name="payer",
    plural="payers",
    label="Payer",
    help="An organisation that pays for care.",
    attributes=_ATTRIBUTES,
    identifiers=(
        IdentifierRule("payer_id", "payer-id-alpha", many=True, max_holders=20),
        IdentifierRule("payer_id_b", "payer-id-beta", many=True, max_holders=20),
        IdentifierRule("naic", "us-naic", many=True, max_holders=20),
        IdentifierRule("ein", "us-ein", many=True, max_holders=20),
    ),
    model=_MODEL,
    display=("name", "type", "city", "state"),
    authorities=(
        ("name", ("billing", "ehr")),
        ("type", ("billing",)),
        ("address", ("billing",)),
        ("payer_id", ("clearinghouse", "billing")),
        ("payer_id_b", ("clearinghouse", "billing")),
    ),
    relationships=(RelationshipRule("subsidiary_of", "payer", "subsidiaries", hierarchy=True), replacement("payer")),
    guarded=(
        ("phone", 20),
        ("phone.local", 20),
    ),
    overlay_below=-6.0,
)
