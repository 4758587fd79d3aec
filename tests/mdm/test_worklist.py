"""The counts beside the work list: for every choice of filters they equal what the list itself holds."""

from collections import Counter
from itertools import product

import pytest

from mdm import worklist
from mdm.access import Actor, Role
from mdm.db import execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.ids import new_id
from mdm.reading import Reader
from mdm.worklist import DUES, NOBODY, Filters

ANN = Actor(new_id(), "ann", Role.STEWARD)
DOMAINS, KINDS, OWNERS = ("payer", "supplier"), ("cut", "drift"), (None, "ann", "bob")
HOURS = (-30, -1, 5, 20, 30, 100, 200, 900)  # two in each of late, today, week, later


@pytest.fixture
def tasks(clean_database):
    """One task of every domain, kind, owner and due time; one in three rests."""
    insert = (
        "insert into task (id, domain, kind, dedupe_key, goldens, records, detail, impact, assigned_to, due_at, waits_for, waits_until)"
        " values (%s, %s, %s, %s, '{}', '{}', '{}', 1, %s, now() + make_interval(hours => %s), %s, now() + make_interval(hours => %s))"
    )
    with clean_database.unit_of_work() as session:
        for place, (domain, kind, owner, hours) in enumerate(product(DOMAINS, KINDS, OWNERS, HOURS)):
            task_id, rests = new_id(), place % 3 == 0
            execute(session, insert, (task_id, domain, kind, str(task_id), owner, hours, "time" if rests else None, 1 if rests else None))


CHOICES = product((None, "payer"), (None, "cut"), (None, "me", NOBODY), (None, *DUES), (None, "time"))


def test_each_count_is_what_choosing_it_shows(clean_database, tasks):
    shown = {}

    def listed(session, domain, kind, owner, due, waits):
        filters = Filters(domain=domain, kind=kind, owner=owner, due=due, waits=waits)
        return worklist.list_page(session, ENTITY_TYPES, Reader(ANN, "test"), filters, limit=1000)

    with clean_database.unit_of_work() as session:
        for choice in CHOICES:
            shown[choice] = listed(session, *choice)
    for (domain, kind, owner, due, waits), listing in shown.items():
        assert listing.total == len(listing.items)
        others = {"domain": (None, kind, owner, due), "kind": (domain, None, owner, due), "due": (domain, kind, owner, None)}
        for name, but in others.items():
            whole = Counter(_due(each) if name == "due" else getattr(each, name) for each in shown[(*but, waits)].items)
            counted = dict(listing.facets[name])
            assert {code: count for code, count in counted.items() if count} == whole
        whole = Counter(each.assigned_to or NOBODY for each in shown[(domain, kind, None, due, waits)].items)
        assert {code: count for code, count in dict(listing.facets["owner"]).items() if count} == whole
    assert fetch_total(clean_database) == shown[(None,) * 5].total + shown[(None, None, None, None, "time")].total


def test_home_counts_what_the_lists_hold(clean_database, tasks):
    def listed(session, **choice):
        return worklist.list_page(session, ENTITY_TYPES, Reader(ANN, "test"), Filters(**choice), limit=1000).total

    with clean_database.unit_of_work() as session:
        own, counts = worklist.own(session, ANN), worklist.open_counts(session, ANN)
        assert (own.late, own.mine) == (listed(session, due="late"), listed(session, owner="me"))
        assert counts == {domain: listed(session, domain=domain) for domain in DOMAINS}
        assert sum(counts.values()) == listed(session)


def _due(task):
    hours = (task.due_at - task.created_at).total_seconds() / 3600
    return DUES[sum(hours > bound for bound in (0, 24, 168))]


def fetch_total(database):
    return database.run(lambda session: fetch(session, "select count(*) from task"))[0][0]


def test_counting_reads_the_index_alone(clean_database):
    """No sort, no task looked at: whatever else is kept of a task, a long list is counted as quickly.

    All other ways are closed: which of them a table of some rows would take is a matter of statistics, and not asked here.
    """
    filters = Filters()
    where = worklist._TALLY + worklist._where(ANN, filters, facets=False) + " group by domain, kind, assigned_to, queue"
    with clean_database.unit_of_work() as session:
        for method in ("seqscan", "bitmapscan"):
            execute(session, f"set local enable_{method} = off")
        for (name,) in fetch(session, _OTHER_INDEXES):
            execute(session, f"drop index {name}")
        plan = "\n".join(row[0] for row in fetch(session, "explain " + where, worklist._params(ANN, filters)))
        session.rollback()
    assert "Index Only Scan using ix_task_facets" in plan, plan


_OTHER_INDEXES = (
    "select indexrelid::regclass::text from pg_index i where indrelid = 'task'::regclass and indexrelid <> 'ix_task_facets'::regclass"
    " and not exists (select 1 from pg_constraint c where c.conindid = i.indexrelid)"
)
