"""Departments. The same department name in another hospital is another department; the same unit code differing is never the same unit."""

from matching.levels import alike, either_crossed, part, same, soft_contains, soft_jaccard, within_edits
from matching.model import BlockingRule, Model, Thresholds, Veto
from mdm.entities._evidence import compared, cross_reference, level, opposite_sides, same_or_not
from mdm.entity import Attribute, EntityType, IdentifierRule, RelationshipRule, Survive, replacement
from mdm.values.code import CODE
from mdm.values.date import DATE
from mdm.values.department_name import DEPARTMENT_NAME
from mdm.values.organisation_name import FACILITY_NAME
from mdm.values.phone import PHONE
from mdm.values.text import LABEL, TEXT

_ATTRIBUTES = (
    Attribute("name", DEPARTMENT_NAME, required=True, survive=Survive.LONGEST, searchable=True),
    Attribute("code", CODE, searchable=True, help="The code that people use; leading zeros count."),
    Attribute("type", LABEL, choices=("clinical", "ancillary", "admin")),
    Attribute("facility", FACILITY_NAME, survive=Survive.MOST_FREQUENT, searchable=True, help="The hospital or clinic it belongs to."),
    Attribute("parent_code", CODE),
    Attribute("specialty", TEXT),
    Attribute("service_line", TEXT),
    Attribute("revenue_code", CODE, help="Hospital revenue code (UB-04)."),
    Attribute("cost_center_code", CODE, help="Owned by finance; has its own dates."),
    Attribute("phone", PHONE),
    Attribute("open_date", DATE),
    Attribute("close_date", DATE),
)

_NAME = compared(
    "name",
    "name",
    level("same", 0.62, 0.0006, same("name")),
    level("same words", 0.16, 0.0006, soft_jaccard("name.tokens", 0.85)),
    level("one is part of the other", 0.12, 0.02, soft_contains("name.tokens", 0.95)),
    level("many words shared", 0.055, 0.015, soft_jaccard("name.tokens", 0.6)),
    level("some words shared", 0.03, 0.08, soft_jaccard("name.tokens", 0.3)),
    needs="name",
)

_FACILITY = compared(
    "facility",
    "location",
    level("same", 0.8, 0.16, same("facility")),
    level("same words", 0.12, 0.026, soft_jaccard("facility.tokens", 0.85), either_crossed("facility", "facility.acronym")),
    level("one is part of the other", 0.07, 0.05, soft_contains("facility.tokens", 0.95)),
    level("spelt alike", 0.0099, 0.01, alike("facility", 0.95)),
    needs="facility",
    otherwise="another facility",
)

_COMPARISONS = (
    # 7N of a hospital is one place: its unit code says more than what else stands in the name.
    same_or_not("unit code", "name.units", "name", m=0.995, u=0.08),
    cross_reference(),
    compared(
        "code",
        "identifier",
        level("same", 0.45, 0.002, same("code")),
        level("same but for leading zeros", 0.05, 0.0006, same("code.bare")),
        needs="code",
    ),
    _NAME,
    _FACILITY,
    same_or_not("point of care", "poc", "identifier", m=0.6, u=0.003),
    same_or_not("NPI", "npi", "identifier", m=0.7, u=0.05),
    same_or_not("global location number", "gln", "identifier", m=0.7, u=0.01),
    compared(
        "cost center",
        "content",
        level("same", 0.7, 0.02, same("cost_center_code")),
        level("same but for leading zeros", 0.1, 0.003, same("cost_center_code.bare")),
        needs="cost_center_code",
    ),
    same_or_not("type", "type", "content", m=0.95, u=0.5),
    compared(
        "specialty",
        "content",
        level("same", 0.7, 0.1, same("specialty")),
        level("alike", 0.1, 0.03, alike("specialty", 0.88)),
        needs="specialty",
    ),
    compared(
        "service line",
        "content",
        level("same", 0.75, 0.15, same("service_line")),
        level("alike", 0.1, 0.03, alike("service_line", 0.88)),
        needs="service_line",
    ),
    # Units opened together share the date, and a date is often a default: it confirms.
    same_or_not("open date", "open_date", "content", m=0.8, u=0.08),
    compared(
        "phone",
        "contact",
        level("same", 0.6, 0.03, same("phone")),
        level("one digit off", 0.05, 0.01, within_edits("phone", 1)),
        needs="phone",
    ),
)

_BLOCKING = (
    BlockingRule("key", (part("keys"),)),
    BlockingRule("point of care", (part("poc"),)),
    BlockingRule("global location number", (part("gln"),)),
    BlockingRule("name", (part("name"),)),
    BlockingRule("word, facility", (part("name.tokens"), part("facility.tokens"))),
    BlockingRule("two words", (part("name.tokens"), part("name.tokens")), crossed=True),
    BlockingRule("code", (part("code.bare"),)),
    BlockingRule("cost center", (part("cost_center_code.bare"),)),
    BlockingRule("phone", (part("phone"),)),
)

_MODEL = Model(
    version="department-3",
    prior=-7.0,
    comparisons=_COMPARISONS,
    blocking=_BLOCKING,
    thresholds=Thresholds(review=-1.0, link=5.0),
    vetoes=(
        Veto("two unit codes", conflict=("name.units",)),
        Veto("two facilities", conflict=("facility.marks",)),
        *opposite_sides("name"),
        *opposite_sides("facility"),
        Veto("two points of care of one name", conflict=("poc", "code"), agree=("system",)),
    ),
    clip=12.0,
    groups_needed=2,
)

ENTITY = EntityType(
    name="department",
    plural="departments",
    label="Department",
    help="A unit of a hospital that gives care, supports it or administers it.",
    attributes=_ATTRIBUTES,
    identifiers=(
        IdentifierRule("poc", "hl7-point-of-care", many=True),
        IdentifierRule("npi", "us-npi", max_holders=60),
        IdentifierRule("gln", "gs1-gln", many=True),
    ),
    model=_MODEL,
    display=("name", "facility", "code"),
    authorities=(
        ("name", ("ehr",)),
        ("code", ("ehr",)),
        ("cost_center_code", ("erp",)),
        ("charges_to", ("erp",)),
        ("close_date", ("ehr",)),
        ("poc", ("ehr",)),
    ),
    relationships=(
        RelationshipRule("part_of", "department", "parts", hierarchy=True),
        RelationshipRule("charges_to", "cost_center", "charged_by", one=True, help="The cost center that collects its costs."),
        RelationshipRule("located_at", "location", "houses", one=True),
        replacement("department"),
    ),
    guarded=(("phone", 25),),
    overlay_below=-8.0,
)
