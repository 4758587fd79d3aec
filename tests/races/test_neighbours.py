"""Two people who have nothing in common come at the same moment, and each may be a third: the third one's task names both."""

from concurrent.futures import ThreadPoolExecutor

from mdm.access import SYSTEM_ACTOR
from mdm.db import fetch
from mdm.embedded.process import wait_until
from mdm.entities import ENTITY_TYPES
from mdm.guard import record_keys
from mdm.ingest import Ready, deliver, deliver_all
from mdm.invariants import violations
from mdm.models import scorer
from mdm.standardise import Delivery, standardise
from mdm.systems import registry
from mdm.tasks import list_tasks

PATIENT = ENTITY_TYPES["patient"]
WAITING = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
ANNA = {"given_name": "Anna", "family_name": "Smith", "sex": "F", "phone": "617-253-1000"}


def person(key, attributes, ssn):
    return Delivery("ehr-north", key, attributes, (("us-ssn", ssn),), "active", None, None)


def ready(session, delivery):
    standard = standardise(PATIENT, delivery, registry(session))
    return Ready(0, standard, record_keys(PATIENT, scorer(session, PATIENT).model, standard.columns))


def test_a_task_names_whom_two_deliveries_at_once_put_beside_it(clean_database):
    third = person("3", {**ANNA, "birth_date": "1980-02-13"}, "512-34-7781")
    by_phone = person("1", ANNA, "512-34-7782")
    by_number = person("2", {"given_name": "W", "family_name": "Smyth", "sex": "F", "postal_code": "01970"}, "512-34-7781")
    deliver_all(clean_database, PATIENT, SYSTEM_ACTOR, [third], "test")
    with ThreadPoolExecutor(1) as pool:
        with clean_database.unit_of_work() as session:
            deliver(session, PATIENT, SYSTEM_ACTOR, [ready(session, by_phone)], "test")
            other = pool.submit(deliver_all, clean_database, PATIENT, SYSTEM_ACTOR, [by_number], "test")
            assert wait_until(lambda: other.done() or bool(clean_database.run(lambda s: fetch(s, WAITING))), 10)
        assert other.result()[0].problems == ()
    with clean_database.unit_of_work() as session:
        assert violations(session, deep=True) == []
        assert max(len(task.goldens) for task in list_tasks(session).items) == 3
