"""Laws of identity, over random sets of deliveries: the order and chunking in which they come never matters."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mdm.access import SYSTEM_ACTOR
from mdm.db import Database, fetch
from mdm.entities import ENTITY_TYPES
from mdm.ingest import deliver_all
from mdm.invariants import violations
from mdm.standardise import Delivery
from mdm.tasks import Ruling, decide, list_tasks
from tests.conftest import empty

PATIENT, PROVIDER = ENTITY_TYPES["patient"], ENTITY_TYPES["provider"]
SLOW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

PEOPLE = (
    {
        "given_name": "William",
        "family_name": "Smith",
        "birth_date": "1980-02-03",
        "sex": "M",
        "address_line": "12 Main St",
        "postal_code": "01970",
        "phone": "617-253-1000",
    },
    {
        "given_name": "Anna",
        "family_name": "Smith",
        "birth_date": "1980-02-03",
        "sex": "F",
        "address_line": "12 Main St",
        "postal_code": "01970",
        "phone": "617-253-1000",
    },
    {
        "given_name": "Wilhelmina",
        "family_name": "Smyth",
        "birth_date": "1980-03-02",
        "sex": "F",
        "address_line": "12 Main Street",
        "postal_code": "01970",
    },
    {
        "given_name": "Chen",
        "family_name": "Li",
        "birth_date": "1975-11-30",
        "sex": "M",
        "address_line": "9 Harbor Rd",
        "postal_code": "02139",
        "email": "chen@example.org",
    },
)
NOISE: tuple[dict[str, str | None], ...] = (
    {},
    {"given_name": "Bill"},
    {"birth_date": "1980-02-13"},
    {"family_name": "Jones"},
    {"address_line": None, "postal_code": None},
    {"phone": "617-253-2000"},
    {"given_name": "W"},
    {"birth_date": None},
    {"suffix": "Jr"},
)
IDENTIFIERS: tuple[tuple[tuple[str, str], ...], ...] = (
    (),
    (),
    (("us-ssn", "512-34-7781"),),
    (("us-ssn", "512-34-7782"),),
    (("ehr-north", "1"),),
)


@st.composite
def patients(draw: st.DrawFn) -> Delivery:
    person = dict(draw(st.sampled_from(PEOPLE)))
    for noise in draw(st.lists(st.sampled_from(NOISE), max_size=2)):
        person.update(noise)  # type: ignore[arg-type]
    attributes = {k: v for k, v in person.items() if v is not None}
    system = draw(st.sampled_from(("ehr-north", "ehr-mercy", "billing-north")))
    return Delivery(system, str(draw(st.integers(1, 6))), attributes, draw(st.sampled_from(IDENTIFIERS)))


def one_per_key(deliveries: list[Delivery]) -> list[Delivery]:
    return list({(d.system, d.key): d for d in deliveries}.values())


def accept_proposals(database: Database) -> None:
    """Accept every proposal of the machine's, until none is left."""
    for _ in range(10_000):
        with database.unit_of_work() as session:
            page = list_tasks(session, kind="cut")
            for task in page.items[:1]:
                decide(session, ENTITY_TYPES[task.domain], task.id, SYSTEM_ACTOR, Ruling("accept", task.version), "test")
        if not page.items:
            return
    raise AssertionError("proposals do not end")


def outcome(database: Database) -> Any:
    """The partition by source keys with its golden values, and which groups wait for review of which."""
    accept_proposals(database)
    with database.unit_of_work() as session:
        assert violations(session, deep=True) == []
        rows = fetch(
            session,
            "select array_agg(r.system || '/' || r.key order by r.system, r.key), v.values"
            " from link l join source_record r on r.id = l.record_id"
            " join golden_version v on v.golden_id = l.golden_id and v.recorded_to is null"
            " where l.recorded_to is null group by l.golden_id, v.values",
        )
        reviews = fetch(
            session,
            "select (select min(r.system || '/' || r.key) from link l join source_record r on r.id = l.record_id"
            " where l.golden_id = g and l.recorded_to is null)"
            " from task t, unnest(t.goldens) g where t.kind = 'review' and t.status = 'open'",
        )
    return sorted((row[0], sorted(row[1].items(), key=str)) for row in rows), sorted(row[0] for row in reviews)


@SLOW
@given(st.lists(patients(), min_size=2, max_size=9).map(one_per_key), st.randoms(use_true_random=False), st.booleans())
def test_order_and_chunks_of_arrival_never_matter(database, deliveries, rng, singly):
    empty(database)
    deliver_all(database, PATIENT, SYSTEM_ACTOR, deliveries, "test")
    first = outcome(database)
    empty(database)
    shuffled = list(deliveries)
    rng.shuffle(shuffled)
    for chunk in [[d] for d in shuffled] if singly else [shuffled[:3], shuffled[3:]]:
        deliver_all(database, PATIENT, SYSTEM_ACTOR, chunk, "test")
    assert outcome(database) == first


@SLOW
@given(st.lists(patients(), min_size=2, max_size=8))
def test_the_same_delivery_again_changes_nothing(database, deliveries):
    empty(database)
    unique = one_per_key(deliveries)
    deliver_all(database, PATIENT, SYSTEM_ACTOR, unique, "test")
    before = outcome(database)
    again = deliver_all(database, PATIENT, SYSTEM_ACTOR, unique, "test")
    assert {r.outcome for r in again} == {"unchanged"}
    assert outcome(database) == before


@SLOW
@given(st.lists(patients(), min_size=3, max_size=12))
def test_updates_leave_every_record_with_one_golden_record(database, deliveries):
    empty(database)
    for delivery in deliveries:
        deliver_all(database, PATIENT, SYSTEM_ACTOR, [delivery], "test")
        with database.unit_of_work() as session:
            assert violations(session, deep=True) == []
