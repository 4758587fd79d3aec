"""All kinds of value, as one flat list. Adding a kind is one file and one entry here; two kinds of one name are refused."""

from mdm.values.address import ADDRESS_LINE, CITY, COUNTRY, POSTAL_CODE, STATE
from mdm.values.cage import CAGE
from mdm.values.ccn import CCN
from mdm.values.clia import CLIA
from mdm.values.code import CODE
from mdm.values.date import DATE
from mdm.values.dea import DEA
from mdm.values.department_name import ACCOUNT_NAME, COST_CENTER_NAME, DEPARTMENT_NAME
from mdm.values.duns import DUNS
from mdm.values.ein import EIN
from mdm.values.email import EMAIL
from mdm.values.flag import FLAG
from mdm.values.gln import GLN
from mdm.values.gtin import GTIN
from mdm.values.hcpcs import HCPCS
from mdm.values.hibcc import HIBCC, HIN
from mdm.values.kind import ValueType
from mdm.values.lei import LEI
from mdm.values.licence import LICENCE
from mdm.values.mbi import MBI
from mdm.values.member_id import MEMBER_ID
from mdm.values.money import MONEY
from mdm.values.naic import NAIC
from mdm.values.ndc import NDC
from mdm.values.npi import NPI
from mdm.values.number import NUMBER
from mdm.values.organisation_name import FACILITY_NAME, ORGANISATION_NAME
from mdm.values.part_number import PART_NUMBER
from mdm.values.payer_id import PAYER_ID
from mdm.values.person_name import FAMILY_NAME, FULL_NAME, GIVEN_NAME, MIDDLE_NAME, NAME_SUFFIX
from mdm.values.phone import PHONE
from mdm.values.sex import SEX
from mdm.values.ssn import ITIN, SSN
from mdm.values.taxonomy import TAXONOMY
from mdm.values.text import DESCRIPTION, LABEL, TEXT
from mdm.values.udi import UDI_DI
from mdm.values.uei import UEI
from mdm.values.unit import UNIT_OF_MEASURE
from mdm.values.unspsc import UNSPSC
from mdm.values.website import WEBSITE

VALUE_TYPES: tuple[ValueType, ...] = (
    GIVEN_NAME, FAMILY_NAME, MIDDLE_NAME, NAME_SUFFIX, FULL_NAME,
    ORGANISATION_NAME, FACILITY_NAME, DEPARTMENT_NAME, COST_CENTER_NAME, ACCOUNT_NAME,
    ADDRESS_LINE, CITY, STATE, POSTAL_CODE, COUNTRY, PHONE, EMAIL, WEBSITE, DATE, SEX,
    NPI, DEA, SSN, ITIN, MBI, EIN, NAIC, PAYER_ID, GLN, GTIN, UDI_DI, HIBCC, HIN, NDC, HCPCS, UNSPSC,
    CCN, CLIA, DUNS, UEI, LEI, CAGE, TAXONOMY, LICENCE, PART_NUMBER, MEMBER_ID,
    UNIT_OF_MEASURE, CODE, MONEY, NUMBER, FLAG, TEXT, LABEL, DESCRIPTION,
)  # fmt: skip
BY_NAME: dict[str, ValueType] = {kind.name: kind for kind in VALUE_TYPES}

if len(BY_NAME) != len(VALUE_TYPES):
    raise ValueError("two kinds of value share a name")
