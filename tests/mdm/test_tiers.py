"""How grave a decision is: worked out by the service, from vetoes, earlier decisions and what the domain declares grave."""

from dataclasses import replace

import pytest

from mdm.access import SYSTEM_ACTOR
from mdm.entities import ENTITY_TYPES
from mdm.entity import DeclarationError
from mdm.ingest import deliver_all
from mdm.standardise import Delivery
from mdm.tasks import list_tasks
from mdm.tiers import of_merge, tier
from tests.mdm.conftest import SMITH
from tests.mdm.test_delivery import BILL, CAUTIOUS

PATIENT, SUPPLIER = ENTITY_TYPES["patient"], ENTITY_TYPES["supplier"]
CHEN = {"given_name": "Chen", "family_name": "Li", "address_line": "1 Bay St", "phone": None, "sex": None}
LEIS = (("Harbor Medical Supply", "5493001KJTIIGC8Y1R12"), ("Harbour Medical Supplies", "213800WSGIIZCXF1P572"))


@pytest.mark.parametrize(("birth_date", "level"), [("1980-07-30", 1), ("1944-02-03", 2)])
def test_another_birth_year_is_grave_and_another_day_is_not(clean_database, deliver, birth_date, level):
    one, other = deliver("ehr-north", "1"), deliver("ehr-mercy", "2", birth_date=birth_date, **CHEN)
    with clean_database.unit_of_work() as session:
        found = of_merge(session, PATIENT, [one.golden_id, other.golden_id])
    assert (found.level, "birth date year differs" in found.reasons) == (level, level == 2)


def test_a_task_wants_a_reason_where_one_of_the_two_is_said_to_be_dead(clean_database):
    rows = [Delivery("ehr-north", "1", {**SMITH, "deceased": "yes"}), Delivery("ehr-mercy", "2", {**BILL, "deceased": "no"})]
    deliver_all(clean_database, CAUTIOUS, SYSTEM_ACTOR, rows, "test")
    with clean_database.unit_of_work() as session:
        (task,) = list_tasks(session, kind="review").items
        found = tier(session, CAUTIOUS, task)
    assert (found.level, found.reasons) == (2, ("deceased differs",))


def test_other_strong_identifiers_are_grave_without_being_declared(clean_database, deliver):
    one, other = (
        deliver("erp-north", str(place), domain="supplier", name=name, identifiers=[("lei", lei)]) for place, (name, lei) in enumerate(LEIS)
    )
    with clean_database.unit_of_work() as session:
        found = of_merge(session, SUPPLIER, [one.golden_id, other.golden_id])
    assert (found.level, "lei differs" in found.reasons) == (2, True)


def test_a_grave_column_that_nothing_makes_is_refused():
    with pytest.raises(DeclarationError, match="grave column birth_hour"):
        replace(PATIENT, grave=("birth_hour",))
