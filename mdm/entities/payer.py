"""Payers: the organisations that pay for care. A payer id means something at its own clearinghouse only."""

from matching.levels import part, same, soft_jaccard
from matching.model import BlockingRule, Model, Thresholds, Veto
from mdm.entities._evidence import (
    city,
    compared,
    cross_reference,
    house_number,
    level,
    organisation_name,
    phone,
    postal_code,
    same_or_not,
    street,
)
from mdm.entity import Attribute, EntityType, IdentifierRule, RelationshipRule, Survive
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

_COMPARISONS = (
    organisation_name("name", same_u=0.0002, other_names="dba_name"),
    same_or_not("type", "type", "content", m=0.97, u=0.45),
    compared(
        "parent",
        "content",
        level("same", 0.8, 0.15, same("parent_name")),
        level("alike", 0.1, 0.05, soft_jaccard("parent_name.tokens", 0.6)),
        needs="parent_name",
    ),
    street(m=0.55, u=0.02),
    house_number(m=0.88, u=0.15),
    postal_code(m=0.6, u=0.03, area_u=0.12),
    city(m=0.7, u=0.08),
    phone(m=0.45, u=0.01),
    same_or_not("website", "website", "contact", m=0.8, u=0.02),
    # One id covers the plans of a whole group at some clearinghouses: strong, but not decisive on its own.
    same_or_not("payer id at Alpha Clearing", "payer_id", "identifier", m=0.93, u=0.004),
    same_or_not("payer id at Beta Exchange", "payer_id_b", "identifier", m=0.93, u=0.004),
    same_or_not("NAIC code", "naic", "identifier", m=0.75, u=0.02),
    same_or_not("EIN", "ein", "identifier", m=0.8, u=0.02),
    cross_reference(),
)

_BLOCKING = (
    BlockingRule("key", (part("keys"),)),
    BlockingRule("payer id at Alpha Clearing", (part("payer_id"),)),
    BlockingRule("payer id at Beta Exchange", (part("payer_id_b"),)),
    BlockingRule("NAIC code", (part("naic"),)),
    BlockingRule("EIN", (part("ein"),)),
    BlockingRule("name", (part("name"),)),
    BlockingRule("trade name", (part("dba_name"),)),
    BlockingRule("phone", (part("phone"),)),
    BlockingRule("website", (part("website"),)),
    BlockingRule("house number, postal code", (part("address_line.number"), part("postal_code"))),
    BlockingRule("two words", (part("name.tokens"), part("name.tokens")), crossed=True),
)

_MODEL = Model(
    version="payer-1",
    prior=-7.0,
    comparisons=_COMPARISONS,
    blocking=_BLOCKING,
    thresholds=Thresholds(review=-1.0, link=6.0),
    vetoes=(
        Veto("two types", conflict=("type",)),
        Veto("two payer ids", conflict=("payer_id",)),
        Veto("two payer ids at the other clearinghouse", conflict=("payer_id_b",)),
    ),
    clip=12.0,
    groups_needed=2,
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
    relationships=(RelationshipRule("subsidiary_of", "payer", "subsidiaries", hierarchy=True),),
    guarded=(("phone", 20),),
    overlay_below=-6.0,
)
