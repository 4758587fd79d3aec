"""What flows left behind goes after its time; what anybody still waits for stays."""

from uuid import UUID

import pytest

from mdm.db import execute, fetch
from mdm.jobs import enqueue
from mdm.retention import CLEAN, clean, has_old
from mdm.running import Hand

MISS = (
    "insert into miss (id, domain, system, value, count, status, last_seen) values (%(id)s::uuid, 'payer', 'erp-north', %(id)s::text, 1,"
    " %(status)s, now() - %(days)s * interval '1 day')"
)
TICKET = (
    "insert into ticket (id, miss_id, principal_id, question, source, value, targets, expires_at, status, closed_at) values"
    " (gen_random_uuid(), %(id)s, gen_random_uuid(), 'q', 'erp-north', 'v', '{}', now(), %(status)s, now() - %(days)s * interval '1 day')"
)
ANSWER = (
    "insert into idempotency (client, key, fingerprint, status, headers, body, created_at)"
    " values (gen_random_uuid(), 'k', '', 200, '{}', '', now() - %s * interval '1 hour')"
)
LEFT = {"miss": "select id from miss", "ticket": "select id from ticket", "idempotency": "select client from idempotency"}


def put(database, statement, given):
    database.run(lambda session: execute(session, statement, given))


def miss(database, number, status, days):
    put(database, MISS, {"id": str(UUID(int=number)), "status": status, "days": days})
    return UUID(int=number)


def left(database, table):
    with database.unit_of_work() as session:
        return fetch(session, LEFT[table])


def run(database):
    database.run(lambda session: enqueue(session, CLEAN, {}, dedupe_key=CLEAN))
    Hand(database, "hand", lambda: False, {CLEAN: clean}).drain()


@pytest.mark.parametrize(
    ("status", "days", "stays"), [("resolved", 91, False), ("rejected", 91, False), ("resolved", 89, True), ("open", 400, True)]
)
def test_a_settled_miss_goes_when_nobody_has_asked_for_a_quarter_of_a_year(clean_database, status, days, stays):
    miss(clean_database, 1, status, days)
    run(clean_database)
    assert bool(left(clean_database, "miss")) is stays


def test_a_closed_ticket_goes_after_a_month_and_its_miss_with_it(clean_database):
    old, waited_for = miss(clean_database, 1, "resolved", 100), miss(clean_database, 2, "resolved", 100)
    put(clean_database, TICKET, {"id": old, "status": "resolved", "days": 31})
    put(clean_database, TICKET, {"id": waited_for, "status": "resolved", "days": 29})
    run(clean_database)
    assert [row[0] for row in left(clean_database, "miss")] == [waited_for]
    assert len(left(clean_database, "ticket")) == 1


def test_an_answer_is_kept_for_a_day(clean_database):
    for hours in (23, 25):
        put(clean_database, ANSWER, (hours,))
    assert clean_database.run(has_old)
    run(clean_database)
    assert len(left(clean_database, "idempotency")) == 1
    assert not clean_database.run(has_old)
