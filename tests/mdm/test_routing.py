"""Tasks go to queues by rules, however they are opened; the rule that says most wins; a rule more or less routes the open ones anew."""

import pytest

from mdm import clusters, routing, worklist
from mdm.access import SYSTEM_ACTOR
from mdm.db import fetch
from mdm.entities import ENTITY_TYPES
from mdm.errors import Conflict, Invalid, NotFound
from mdm.misswork import Counted, Miss, record
from mdm.reading import Reader
from mdm.routing import ANY, Route
from mdm.worklist import Filters

DOMAINS = sorted(ENTITY_TYPES)


@pytest.fixture
def add(clean_database):
    """add(queue, domain=..., kind=..., system=...) -> how many open tasks it moved."""

    def one(queue, *, domain=ANY, kind=ANY, system=ANY):
        route = Route(domain, kind, system, queue)
        return clean_database.run(lambda session: routing.add(session, SYSTEM_ACTOR, DOMAINS, route))

    return one


@pytest.fixture
def work(clean_database, deliver):
    """work() opens an overlay of a patient, a split of two records that somebody asks for, and a miss of Mercy."""

    def open_all():
        twins = [
            deliver(system, "7", domain="payer", identifiers=[("us-naic", "12345")], name="Harbor Plan")
            for system in ("billing-north", "ehr-north")
        ]
        assert twins[0].golden_id == twins[1].golden_id
        turned = {"given_name": "Linda", "family_name": "Okafor", "birth_date": "1942-11-03", "sex": "F", "address_line": "3 Elm Road"}
        deliver("ehr-north", "1")
        deliver("ehr-north", "1", **turned, city="Austin", phone=None)
        with clean_database.unit_of_work() as session:
            clusters.ask(session, ENTITY_TYPES["payer"], SYSTEM_ACTOR, twins[0].golden_id)
            record(session, [Counted(Miss("department", "ehr-mercy", "4400"), 5, {"a-flow"}, set())])

    return open_all


def where(database):
    with database.unit_of_work() as session:
        return dict(fetch(session, "select kind, queue from task where status = 'open'"))


def test_each_way_of_opening_a_task_asks_the_rules(clean_database, add, work):
    add("identity", domain="patient")
    add("mercy", system="ehr-mercy")
    add("codes", kind="mapping")
    add("the rest")
    work()
    # A system says more than a kind
    assert where(clean_database) == {"overlay": "identity", "mapping": "mercy", "split": "the rest"}


def test_a_rule_more_or_less_routes_what_is_open(clean_database, add, work):
    work()
    open_tasks = where(clean_database)
    assert set(open_tasks.values()) == {None}
    assert add("all of it") == 3
    assert add("codes", domain="department", kind="mapping") == 1
    assert where(clean_database)["mapping"] == "codes"
    first, second = clean_database.run(routing.rules)
    assert (first.route.queue, first.fits, first.routes) == ("codes", 1, 1)
    assert (second.route.queue, second.fits - second.routes) == ("all of it", 1)
    assert clean_database.run(lambda session: routing.delete(session, SYSTEM_ACTOR, first.id)) == 1
    assert set(where(clean_database).values()) == {"all of it"}
    with pytest.raises(NotFound):
        clean_database.run(lambda session: routing.delete(session, SYSTEM_ACTOR, first.id))


def test_a_list_is_of_one_queue_and_counts_each(clean_database, add, work):
    work()
    add("codes", kind="mapping")
    reader = Reader(SYSTEM_ACTOR, "test")

    def listed(queue):
        return clean_database.run(lambda session: worklist.list_page(session, ENTITY_TYPES, reader, Filters(queue=queue)))

    assert [item.kind for item in listed("codes").items] == ["mapping"]
    assert "mapping" not in {item.kind for item in listed("-").items}
    assert dict(listed(None).facets["queue"]) == {"codes": 1, "-": listed("-").total}


@pytest.mark.parametrize(
    ("route", "pointer"),
    [
        (Route("planet", ANY, ANY, "x"), "/domain"),
        (Route(ANY, "wish", ANY, "x"), "/kind"),
        (Route(ANY, ANY, "nowhere", "x"), "/system"),
        (Route(ANY, ANY, ANY, "  "), "/queue"),
        (Route(ANY, ANY, ANY, "x" * 41), "/queue"),
    ],
)
def test_what_there_is_not_is_refused(clean_database, route, pointer):
    with pytest.raises(Invalid) as refused:
        clean_database.run(lambda session: routing.add(session, SYSTEM_ACTOR, DOMAINS, route))
    assert [problem.pointer for problem in refused.value.problems] == [pointer]


def test_two_rules_of_one_reach_are_refused(add):
    add("codes", kind="mapping")
    with pytest.raises(Conflict):
        add("others", kind="mapping")
