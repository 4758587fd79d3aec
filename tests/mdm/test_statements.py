"""A list costs as many statements whether it has two lines or ten, also for somebody who sees some systems only."""

import psycopg
import pytest

from mdm import mapwork, worklist
from mdm.access import Actor, Role
from mdm.db import execute
from mdm.entities import ENTITY_TYPES
from mdm.ids import new_id
from mdm.misswork import Counted, Miss, record
from mdm.reading import Question, Reader, search
from mdm.searches import look_up

PAYER = ENTITY_TYPES["payer"]
SCOPED = Reader(Actor(new_id(), "ann", Role.STEWARD, systems=frozenset({"erp-north", "ehr-mercy"})), "test")


@pytest.fixture
def statements(clean_database, monkeypatch):
    """statements(work) -> what it answers, and how many statements it sent."""
    sent, real = [], psycopg.Connection.execute

    def counted(self, *args, **kwargs):
        sent.append(args[0])
        return real(self, *args, **kwargs)

    monkeypatch.setattr(psycopg.Connection, "execute", counted)

    def count(work):
        clean_database.run(work)  # what a process remembers it asks once
        sent.clear()
        return clean_database.run(work), len(sent)

    return count


@pytest.fixture
def world(clean_database, deliver):
    """world(n): so many more payers, each with an open task and an unknown code that means it."""

    def add(first, last):
        goldens = [deliver("erp-north", f"70{n:02}", domain="payer", name=f"Plan {n} of Elm Street").golden_id for n in range(first, last)]

        def work(session):
            for number, golden in enumerate(goldens, start=first):
                execute(
                    session,
                    "insert into task (id, domain, kind, dedupe_key, goldens, records, detail)"
                    " values (%s, 'payer', 'split', %s, %s, '{}', '{}')",
                    (new_id(), f"s{number}", [golden]),
                )
            record(session, [Counted(Miss("payer", "ehr-mercy", f"070{n:02}"), 3, {"flow"}, set()) for n in range(first, last)])

        clean_database.run(work)
        return goldens

    return add


def tasks_page(session):
    return worklist.list_page(session, ENTITY_TYPES, SCOPED, worklist.Filters()).items


def mapping_plan(session):
    return mapwork.plan(session, PAYER, SCOPED, "ehr-mercy", "070", 0.1).items


def found(session):
    return search(session, PAYER, SCOPED, Question("elm street", {}, 50)).items


def looked_up(session):
    return look_up(session, PAYER, SCOPED, "elm street", 50)


@pytest.mark.parametrize("listing", [tasks_page, mapping_plan, found, looked_up])
def test_more_lines_cost_no_more_statements(world, statements, listing):
    world(0, 2)
    few, cost = statements(listing)
    world(2, 8)
    many, again = statements(listing)
    assert (len(few) >= 2, len(many) >= len(few) + 5) == (True, True), (len(few), len(many))
    assert again == cost
