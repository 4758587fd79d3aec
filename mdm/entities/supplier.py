"""Suppliers. A vendor's remit-to and order-from sites are kept as they are; sister companies share address, phone and tax number."""

from dataclasses import replace

from matching.levels import part, same
from matching.model import BlockingRule, Model, Thresholds, Veto
from mdm.entities._evidence import (
    city,
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
from mdm.values.address import ADDRESS_LINE, CITY, COUNTRY, POSTAL_CODE, STATE
from mdm.values.email import EMAIL
from mdm.values.flag import FLAG
from mdm.values.organisation_name import ORGANISATION_NAME
from mdm.values.phone import PHONE
from mdm.values.text import LABEL, TEXT
from mdm.values.website import WEBSITE

_ATTRIBUTES = (
    Attribute("name", ORGANISATION_NAME, required=True, searchable=True),
    Attribute("dba_name", ORGANISATION_NAME, label="Trade name", many=True, survive=Survive.ALL, searchable=True),
    Attribute("type", LABEL, choices=("manufacturer", "distributor", "service", "other")),
    Attribute("site_role", LABEL, choices=("main", "order_from", "remit_to", "ship_from")),
    Attribute("parent_name", ORGANISATION_NAME),
    Attribute("address_line", ADDRESS_LINE, group="address", survive=Survive.MOST_COMPLETE),
    Attribute("address_line_2", TEXT, group="address", survive=Survive.MOST_COMPLETE),
    Attribute("city", CITY, group="address", survive=Survive.MOST_COMPLETE),
    Attribute("state", STATE, group="address", survive=Survive.MOST_COMPLETE),
    Attribute("postal_code", POSTAL_CODE, group="address", survive=Survive.MOST_COMPLETE),
    Attribute("country", COUNTRY, group="address", survive=Survive.MOST_COMPLETE),
    Attribute("phone", PHONE, many=True, survive=Survive.ALL),
    Attribute("email", EMAIL),
    Attribute("website", WEBSITE),
    Attribute("payment_terms", TEXT),
    Attribute("is_1099", FLAG, label="1099", help="Payments are reported on a form 1099."),
)

# One address speaks once, in parts; sister companies share it with the tax number, so that both together must not outweigh a name.
_COMPARISONS = (
    # A remit-to site is an entity of its own with all else alike: no number of agreements makes it the main site, nor a question.
    same_or_not("role of the site", "site_role", "content", m=1 - 1e-11, u=0.5),
    cross_reference(),
    name_numbers("name"),
    organisation_name("name", same_u=0.0003, other_names="dba_name"),
    # A registered company has all of these numbers: one that agrees says what the others would.
    same_or_not("DUNS number", "duns", "identifier", m=0.85, u=0.0005),
    same_or_not("unique entity identifier", "uei", "identifier", m=0.93, u=0.0003, unless=("DUNS number", "same")),
    same_or_not("legal entity identifier", "lei", "identifier", m=0.97, u=0.0005, unless=("DUNS number", "same")),
    same_or_not("global location number", "gln", "identifier", m=0.5, u=0.0005),
    same_or_not("CAGE code", "cage", "identifier", m=0.6, u=0.0005),
    same_or_not("health industry number", "hin", "identifier", m=0.5, u=0.0005),
    same_or_not("EIN", "ein", "identifier", m=0.9, u=0.03),
    street(m=0.66, u=0.06),
    house_number(m=0.9, u=0.3),
    postal_code(m=0.78, u=0.15, area_u=0.15),
    replace(city(m=0.85, u=0.2), unless=("postal code", "same")),
    switchboard(m=0.55, u=0.02),
    compared(
        "email", "contact", level("same", 0.5, 0.002, same("email")), level("same domain", 0.2, 0.04, same("email.domain")), needs="email"
    ),
    replace(same_or_not("website", "website", "contact", m=0.85, u=0.02), unless=("email", "same")),
    same_or_not("type", "type", "content", m=0.9, u=0.4),
)

_BLOCKING = (
    BlockingRule("key", (part("keys"),)),
    BlockingRule("EIN", (part("ein"),)),
    BlockingRule("DUNS number", (part("duns"),)),
    BlockingRule("unique entity identifier", (part("uei"),)),
    BlockingRule("legal entity identifier", (part("lei"),)),
    BlockingRule("global location number", (part("gln"),)),
    BlockingRule("CAGE code", (part("cage"),)),
    BlockingRule("health industry number", (part("hin"),)),
    BlockingRule("name", (part("name"),)),
    BlockingRule("trade name", (part("dba_name"),)),
    BlockingRule("phone", (part("phone.local"),)),
    BlockingRule("website", (part("website"),)),
    BlockingRule("house number, street", (part("address_line.number"), part("address_line.street", 0, 6))),
    BlockingRule("word, postal area", (part("name.tokens"), part("postal_code.area"))),
    BlockingRule("neighbouring words", (part("name.pairs"),)),
    BlockingRule("beginning of the name", (part("name", 0, 7),)),
)

_MODEL = Model(
    version="supplier-4",
    prior=-8.0,
    comparisons=_COMPARISONS,
    blocking=_BLOCKING,
    thresholds=Thresholds(review=-1.0, link=6.0),
    vetoes=(
        Veto("two roles of a site", conflict=("site_role",)),
        Veto("two legal entities", conflict=("lei",)),
        Veto("two registered entities", conflict=("uei",)),
        Veto("two numbers", conflict=("name.numbers",)),
        *opposite_sides("name"),
        Veto("two tax numbers", conflict=("ein",)),
    ),
    clip=17.0,
    groups_needed=2,
    u_from="candidates",
)

ENTITY = EntityType(
    name="supplier",
    plural="suppliers",
    label="Supplier",
    help="An organisation that makes, sells or services what is bought.",
    attributes=_ATTRIBUTES,
    identifiers=(
        IdentifierRule("ein", "us-ein", many=True, max_holders=20),
        IdentifierRule("duns", "duns", max_holders=10),
        IdentifierRule("uei", "us-uei", max_holders=10),
        IdentifierRule("lei", "lei", strong=True),
        IdentifierRule("gln", "gs1-gln", many=True),
        IdentifierRule("cage", "cage", many=True),
        IdentifierRule("hin", "hibcc-hin", many=True),
    ),
    model=_MODEL,
    display=("name", "site_role", "city", "state"),
    authorities=(
        ("name", ("erp",)),
        ("address", ("erp", "supply_chain")),
        ("payment_terms", ("erp",)),
        ("is_1099", ("erp",)),
        ("ein", ("erp",)),
        ("type", ("supply_chain", "erp")),
        ("gln", ("registry", "supply_chain")),
    ),
    relationships=(
        RelationshipRule("subsidiary_of", "supplier", "subsidiaries", hierarchy=True),
        RelationshipRule("sites_of", "supplier", "sites", one=True),
        replacement("supplier"),
    ),
    guarded=(("phone", 20), ("phone.local", 20), ("email", 10)),
    overlay_below=-8.0,
)
