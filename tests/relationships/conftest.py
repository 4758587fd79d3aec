"""Deliveries with relationships in one line; (type, key, valid_from, valid_to, tree) names the other end by its key."""

import pytest

from mdm.access import SYSTEM_ACTOR
from mdm.db import fetch
from mdm.entities import ENTITY_TYPES
from mdm.ingest import deliver_all
from mdm.standardise import Delivery
from mdm.statements import Assertion

HOME = "erp-north"
NAMES = [
    "Alder",
    "Birch",
    "Cedar",
    "Dogwood",
    "Elm",
    "Fir",
    "Ginkgo",
    "Hazel",
    "Iris",
    "Juniper",
    "Katsura",
    "Larch",
    "Maple",
    "Nettle",
    "Oak",
    "Pine",
]


def attributes_of(domain, key):
    """Records of different keys are different entities."""
    word = f"{NAMES[sum(key.encode()) % len(NAMES)]} {key}"
    if domain == "cost_center":
        return {"name": f"{word} Services", "company": "0100", "code": key}
    return {"name": f"{word} Unit", "facility": "North Hospital"}


def assertion(type_, value, valid_from=None, valid_to=None, tree=None, *, system=HOME):
    return Assertion(type_, system, value, None, tree, valid_from, valid_to)


def delivery(domain, key, *said, system=HOME, relationships=None, identifiers=(), status="active", dates=(None, None), **attributes):
    given = {**attributes_of(domain, key), **attributes}
    edges = tuple(assertion(*each) for each in said) if said else relationships
    return Delivery(system, key, given, identifiers, status, *dates, edges)


@pytest.fixture
def send_all(clean_database):
    """send_all(domain, [(key, *said)]) -> the results, delivered as one batch."""

    def batch(domain, rows):
        return deliver_all(clean_database, ENTITY_TYPES[domain], SYSTEM_ACTOR, [delivery(domain, *row) for row in rows], "test")

    return batch


@pytest.fixture
def send(clean_database):
    """send(domain, key, *said, ...) -> the result."""

    def one(domain, key, *said, valid_from=None, valid_to=None, **more):
        row = delivery(domain, key, *said, dates=(valid_from, valid_to), **more)
        return deliver_all(clean_database, ENTITY_TYPES[domain], SYSTEM_ACTOR, [row], "test")[0]

    return one


@pytest.fixture
def center(send):
    return lambda key, *said, **more: send("cost_center", key, *said, **more).golden_id


@pytest.fixture
def department(send):
    return lambda key, *said, **more: send("department", key, *said, **more).golden_id


def edges(database, known_at=None):
    """Every edge in force on some day, now or as it was known."""
    with database.unit_of_work() as session:
        rows = fetch(
            session,
            "select subject_id, type, tree, target_id, valid_from, valid_to from relationship where not looped"
            " and recorded_from <= coalesce(%(at)s, clock_timestamp())"
            " and (recorded_to is null or recorded_to > coalesce(%(at)s, clock_timestamp()))",
            {"at": known_at},
        )
    return {tuple(row) for row in rows}
