"""Every identifier system that a domain may use: one entry each, declared once, with the names it has in other standards.

An alias (kind, value) belongs to one system only. OIDs stand without `urn:oid:`; X12 qualifiers stand with their place (`NM108:XX`).
Local keys of source systems are identifier systems too, but they come from the registry of systems, not from here.
"""

from dataclasses import dataclass

from mdm.entity import DeclarationError, Sensitivity
from mdm.values.cage import CAGE
from mdm.values.ccn import CCN
from mdm.values.clia import CLIA
from mdm.values.code import CODE
from mdm.values.dea import DEA
from mdm.values.duns import DUNS
from mdm.values.ein import EIN
from mdm.values.gln import GLN
from mdm.values.gtin import GTIN
from mdm.values.hcpcs import HCPCS
from mdm.values.hibcc import HIBCC
from mdm.values.kind import ValueType
from mdm.values.lei import LEI
from mdm.values.licence import LICENCE
from mdm.values.mbi import MBI
from mdm.values.member_id import MEMBER_ID
from mdm.values.naic import NAIC
from mdm.values.ndc import NDC
from mdm.values.npi import NPI
from mdm.values.payer_id import PAYER_ID
from mdm.values.ssn import SSN
from mdm.values.taxonomy import TAXONOMY
from mdm.values.udi import UDI_DI
from mdm.values.uei import UEI
from mdm.values.unspsc import UNSPSC

ALIAS_KINDS = ("oid", "fhir", "hl7", "x12")


@dataclass(frozen=True, slots=True)
class IdentifierSystem:
    """A namespace of identifiers. `code` never changes; `many`: one entity may hold several values at once."""

    code: str
    label: str
    type: ValueType
    aliases: tuple[tuple[str, str], ...] = ()
    sensitivity: Sensitivity = Sensitivity.INTERNAL
    many: bool = False
    help: str = ""

    def __post_init__(self) -> None:
        unknown = {kind for kind, _ in self.aliases} - set(ALIAS_KINDS)
        if unknown:
            raise DeclarationError(f"{self.code}: no alias kind is called {', '.join(sorted(unknown))}")


_PERSONAL = (
    IdentifierSystem(
        "us-ssn",
        "Social security number",
        SSN,
        (
            ("oid", "2.16.840.1.113883.4.1"),
            ("fhir", "http://hl7.org/fhir/sid/us-ssn"),
            ("hl7", "USSSA"),
            ("x12", "REF01:SY"),
            ("x12", "NM108:34"),
        ),
        Sensitivity.SECRET,
        help="Often a guarantor's or a parent's number; never proof on its own.",
    ),
    IdentifierSystem(
        "us-mbi",
        "Medicare beneficiary identifier",
        MBI,
        (("oid", "2.16.840.1.113883.4.927"), ("fhir", "http://hl7.org/fhir/sid/us-mbi")),
        Sensitivity.PHI,
        help="Changes when it was compromised, so a former number is kept.",
    ),
    IdentifierSystem(
        "us-medicaid", "Medicaid identifier", MEMBER_ID, sensitivity=Sensitivity.PHI, many=True, help="Unique within one state."
    ),
    IdentifierSystem(
        "member-id",
        "Member identifier",
        MEMBER_ID,
        (("x12", "NM108:MI"),),
        Sensitivity.PHI,
        many=True,
        help="A payer's number; it may identify a family, not a person.",
    ),
    IdentifierSystem(
        "driver-licence", "Driver's licence", LICENCE, sensitivity=Sensitivity.PHI, many=True, help="Unique within one state."
    ),
    IdentifierSystem("passport", "Passport number", LICENCE, sensitivity=Sensitivity.PHI, many=True, help="Unique within one country."),
    IdentifierSystem(
        "national-id", "National identifier", CODE, sensitivity=Sensitivity.PHI, many=True, help="Of a country other than the US."
    ),
    IdentifierSystem(
        "local-id", "Local identifier", CODE, sensitivity=Sensitivity.PHI, many=True, help="A number whose issuer was not named."
    ),
)

_CLINICIANS = (
    IdentifierSystem(
        "us-npi",
        "National provider identifier",
        NPI,
        (
            ("oid", "2.16.840.1.113883.4.6"),
            ("fhir", "http://hl7.org/fhir/sid/us-npi"),
            ("hl7", "NPI"),
            ("x12", "NM108:XX"),
        ),
        Sensitivity.PUBLIC,
        help="Never reassigned (45 CFR 162.408); an organisation's subparts have their own.",
    ),
    IdentifierSystem(
        "us-dea", "DEA registration", DEA, (("oid", "2.16.840.1.113883.4.814"),), many=True, help="One per state and location."
    ),
    IdentifierSystem(
        "state-licence",
        "State licence",
        LICENCE,
        (("x12", "REF01:0B"),),
        Sensitivity.PUBLIC,
        many=True,
        help="Unique within state and board.",
    ),
    IdentifierSystem(
        "nucc-taxonomy",
        "Provider taxonomy",
        TAXONOMY,
        (("oid", "2.16.840.1.113883.6.101"), ("fhir", "http://nucc.org/provider-taxonomy"), ("x12", "PRV02:PXC")),
        Sensitivity.PUBLIC,
        many=True,
        help="What a provider does, not who it is.",
    ),
    IdentifierSystem(
        "medicare-ptan", "Medicare PTAN", CODE, (("x12", "REF01:1C"),), many=True, help="Medicare's own transaction access number."
    ),
    IdentifierSystem(
        "upin", "UPIN", CODE, (("oid", "2.16.840.1.113883.4.8"), ("x12", "REF01:1G")), Sensitivity.PUBLIC, help="Legacy, before the NPI."
    ),
    IdentifierSystem("caqh", "CAQH identifier", CODE, help="The credentialing profile's number."),
)

_ORGANISATIONS = (
    IdentifierSystem(
        "us-ein",
        "Employer identification number",
        EIN,
        (("oid", "2.16.840.1.113883.4.4"), ("x12", "REF01:EI"), ("x12", "NM108:FI"), ("x12", "N103:FI")),
        many=True,
        help="Many legal subparts share one.",
    ),
    IdentifierSystem(
        "payer-id-alpha",
        "Payer id at Alpha Clearing",
        PAYER_ID,
        sensitivity=Sensitivity.PUBLIC,
        many=True,
        help="Means nothing at another clearinghouse.",
    ),
    IdentifierSystem(
        "payer-id-beta",
        "Payer id at Beta Exchange",
        PAYER_ID,
        sensitivity=Sensitivity.PUBLIC,
        many=True,
        help="Means nothing at another clearinghouse.",
    ),
    IdentifierSystem(
        "us-naic",
        "NAIC company code",
        NAIC,
        (("oid", "2.16.840.1.113883.6.300"), ("x12", "NM108:NI"), ("x12", "REF01:NF")),
        Sensitivity.PUBLIC,
        many=True,
        help="One legal company with many products; a company may have several.",
    ),
    IdentifierSystem(
        "duns",
        "DUNS number",
        DUNS,
        (("oid", "1.3.6.1.4.1.519.1"), ("x12", "N103:1")),
        Sensitivity.PUBLIC,
        help="Federal use ended in 2022.",
    ),
    IdentifierSystem(
        "us-uei", "Unique entity identifier (SAM)", UEI, sensitivity=Sensitivity.PUBLIC, help="Shape only: its check rule is not public."
    ),
    IdentifierSystem(
        "lei", "Legal entity identifier", LEI, sensitivity=Sensitivity.PUBLIC, help="ISO 17442; parent and child have their own."
    ),
    IdentifierSystem("cage", "CAGE code", CAGE, sensitivity=Sensitivity.PUBLIC, many=True, help="One per site."),
    IdentifierSystem(
        "hibcc-hin", "Health industry number", CODE, sensitivity=Sensitivity.PUBLIC, many=True, help="A trading partner's location."
    ),
)

_PLACES = (
    IdentifierSystem(
        "gs1-gln",
        "Global location number",
        GLN,
        (("oid", "1.3.88"), ("fhir", "https://www.gs1.org/gln"), ("x12", "N103:UL")),
        Sensitivity.PUBLIC,
        many=True,
        help="A legal entity, a function or a place.",
    ),
    IdentifierSystem(
        "us-ccn",
        "CMS certification number",
        CCN,
        (("oid", "2.16.840.1.113883.4.336"),),
        Sensitivity.PUBLIC,
        many=True,
        help="One hospital has several.",
    ),
    IdentifierSystem(
        "us-clia",
        "CLIA number",
        CLIA,
        (("oid", "2.16.840.1.113883.4.7"),),
        Sensitivity.PUBLIC,
        many=True,
        help="A laboratory's certificate.",
    ),
    IdentifierSystem("hl7-point-of-care", "Point of care", CODE, many=True, help="PV1-3 mnemonic; unique within one facility only."),
)

_PRODUCTS = (
    IdentifierSystem(
        "gs1-gtin",
        "Global trade item number",
        GTIN,
        (("oid", "1.3.160"), ("fhir", "https://www.gs1.org/gtin"), ("x12", "PO106:UK")),
        Sensitivity.PUBLIC,
        many=True,
        help="Each packaging level has its own.",
    ),
    IdentifierSystem(
        "udi-di",
        "UDI device identifier",
        UDI_DI,
        (("fhir", "http://hl7.org/fhir/NamingSystem/gs1-di"),),
        Sensitivity.PUBLIC,
        many=True,
        help="One device has one per package and issuer.",
    ),
    IdentifierSystem(
        "hibcc",
        "HIBCC code",
        HIBCC,
        (("fhir", "http://hl7.org/fhir/NamingSystem/hibcc-dI"), ("x12", "PO106:HI")),
        Sensitivity.PUBLIC,
        many=True,
        help="The last but one character is the packaging level.",
    ),
    IdentifierSystem(
        "us-ndc",
        "National drug code",
        NDC,
        (("oid", "2.16.840.1.113883.6.69"), ("fhir", "http://hl7.org/fhir/sid/ndc"), ("x12", "PO106:N4")),
        Sensitivity.PUBLIC,
        many=True,
        help="Ten digits without hyphens are ambiguous.",
    ),
    IdentifierSystem(
        "hcpcs",
        "HCPCS code",
        HCPCS,
        (("oid", "2.16.840.1.113883.6.285"),),
        Sensitivity.PUBLIC,
        many=True,
        help="What is billed, not which item.",
    ),
    IdentifierSystem("unspsc", "UNSPSC class", UNSPSC, sensitivity=Sensitivity.PUBLIC, help="A class of goods, not an item."),
)

IDENTIFIER_SYSTEMS: tuple[IdentifierSystem, ...] = _PERSONAL + _CLINICIANS + _ORGANISATIONS + _PLACES + _PRODUCTS


def _by_code(systems: tuple[IdentifierSystem, ...]) -> dict[str, IdentifierSystem]:
    """Index the systems; a code or an alias that two of them claim is refused."""
    claims = [("code", system.code) for system in systems] + [alias for system in systems for alias in system.aliases]
    twice = sorted({f"{kind} {value}" for kind, value in claims if claims.count((kind, value)) > 1})
    if twice:
        raise DeclarationError("claimed by two identifier systems: " + ", ".join(twice))
    return {system.code: system for system in systems}


BY_CODE: dict[str, IdentifierSystem] = _by_code(IDENTIFIER_SYSTEMS)
