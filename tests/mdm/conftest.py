"""Deliveries in one line: a test states only the fields it is about."""

import pytest

from mdm.access import SYSTEM_ACTOR
from mdm.entities import ENTITY_TYPES
from mdm.ingest import deliver_all
from mdm.standardise import Delivery

SMITH = {
    "given_name": "William",
    "family_name": "Smith",
    "birth_date": "1980-02-03",
    "sex": "M",
    "address_line": "12 Main St",
    "city": "Salem",
    "state": "MA",
    "postal_code": "01970",
    "phone": "617-253-1000",
}


@pytest.fixture
def deliver(clean_database):
    """deliver(system, key, identifiers=..., domain=..., **attributes) -> the result; attributes start from William Smith's for patients."""

    def one(system, key, *, identifiers=(), domain="patient", status="active", valid_from=None, valid_to=None, **attributes):
        start = SMITH if domain == "patient" else {}
        given = {name: value for name, value in {**start, **attributes}.items() if value is not None}
        row = Delivery(system, key, given, identifiers, status, valid_from, valid_to)
        return deliver_all(clean_database, ENTITY_TYPES[domain], SYSTEM_ACTOR, [row], "test")[0]

    return one
