"""A copy kept by the reference consumer equals the source: after any acts, after being killed anywhere, after a restore."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mdm.access import SYSTEM_ACTOR
from mdm.changes import new_epoch
from mdm.couriers import prepare
from mdm.entities import ENTITY_TYPES
from mdm.feed import withdraw
from mdm.ingest import deliver_all
from mdm.standardise import Delivery
from mdm.tasks import Ruling, decide, list_tasks
from tests.conftest import empty
from tests.feed.copying import consumer, of_copy, of_tables, reader

MARIA = {"given_name": "Maria", "birth_date": "1980-02-29", "sex": "F", "city": "Boston"}
PEOPLE = (
    {**MARIA, "family_name": "Rivera"},
    {**MARIA, "family_name": "Olsen"},
    {**MARIA, "family_name": "Keller"},
    {"given_name": "Chen", "family_name": "Li", "birth_date": "1975-11-30", "sex": "M"},
)
IDENTIFIERS = ((), (("us-ssn", "512-34-7781"),), (("us-ssn", "512-34-7782"),))
PATIENT = ENTITY_TYPES["patient"]


@pytest.fixture
def copy():
    with closing(consumer.open_copy(":memory:")) as opened:
        yield opened


@pytest.fixture
def get(client, key):
    return reader(client, key("integration", grants=["phi", "unmask"]))


def equal(copy, database, get):
    prepare(database, None)
    consumer.catch_up(copy, get)
    return of_copy(copy) == of_tables(database)


def test_values_identifiers_and_ends_reach_the_copy(deliver, copy, get, clean_database):
    deliver("erp-north", "1", name="Blue Shield of Oregon")
    deliver("erp-north", "1", name="Blue Shield of Idaho")
    assert equal(copy, clean_database, get)
    deliver("erp-north", "1", name="Blue Shield of Idaho", identifiers=(("us-ein", "12-3456789"),))
    assert equal(copy, clean_database, get)
    deliver("erp-north", "1", name="Blue Shield of Idaho", status="inactive")
    assert equal(copy, clean_database, get)


def test_a_change_of_identifiers_alone_is_an_event(deliver, rows):
    deliver("ehr-mercy", "1", domain="provider", given_name="Ann", family_name="Lee", identifiers=(("us-npi", "1234567893"),))
    deliver("ehr-mercy", "1", domain="provider", given_name="Ann", family_name="Lee", identifiers=())
    told = rows("select type, golden_id from event order by n")
    assert [row[0] for row in told] == ["golden.created", "golden.updated"]
    assert told[0][1] == told[1][1]


def decide_first(database, verdict):
    """A steward settles the most important review, if there is one."""

    def settle(session):
        for task in list_tasks(session, kind="review").items[:1]:
            decide(session, PATIENT, task.id, SYSTEM_ACTOR, Ruling(verdict, task.version, task.goldens[1]), "test")

    database.run(settle)


def test_merged_ids_answer_with_their_survivor_over_several_steps(deliver, copy, get, clean_database, rows):
    for key, person in enumerate(PEOPLE[:3]):
        deliver("ehr-north" if key else "ehr-mercy", str(key), domain="patient", **person)
        assert equal(copy, clean_database, get)
    for _ in range(2):
        decide_first(clean_database, "same")
        assert equal(copy, clean_database, get)
    assert rows("select count(*) from golden_record where status = 'merged'") == [(2,)]


acts = st.lists(
    st.tuples(
        st.sampled_from(("ehr-north", "ehr-mercy")),
        st.sampled_from("123"),
        st.sampled_from(PEOPLE),
        st.sampled_from(IDENTIFIERS),
        st.sampled_from(("active", "active", "inactive", "decide same", "decide different")),
    ),
    min_size=1,
    max_size=10,
)


def act(database, system, key, person, identifiers, what):
    if what.startswith("decide"):
        decide_first(database, what.split()[1])
    else:
        deliver_all(database, PATIENT, SYSTEM_ACTOR, [Delivery(system, key, person, identifiers, what)], "test")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(acts=acts, cuts=st.lists(st.integers(0, 9), max_size=3))
def test_replay_and_following_both_equal_the_tables(database, client, key, acts, cuts):
    empty(database)
    get = reader(client, key("integration", grants=["phi", "unmask"]))
    with closing(consumer.open_copy(":memory:")) as followed, closing(consumer.open_copy(":memory:")) as replayed:
        for number, each in enumerate(acts):
            act(database, *each)
            if number in cuts:
                assert equal(followed, database, get)
        assert equal(followed, database, get)
        assert equal(replayed, database, get)


class Killed(BaseException):
    """The consumer dies here."""


class Mortal(sqlite3.Connection):
    """A connection whose process dies at its n-th statement."""

    left = 10**9

    def execute(self, *args):
        type(self).left -= 1
        if type(self).left < 0:
            raise Killed
        return super().execute(*args)


def test_killed_anywhere_between_effect_and_position_it_converges(deliver, get, clean_database, tmp_path):
    for number in range(6):
        deliver("erp-north", str(number), name=f"Payer number {number}")
    deliver("erp-north", "1", name="Payer with another name")
    prepare(clean_database, None)
    path = tmp_path / "copy.sqlite"
    with closing(consumer.open_copy(path)):
        pass
    deaths = 0
    for lives in range(1, 40):
        Mortal.left = lives
        with closing(sqlite3.connect(path, factory=Mortal)) as copy:
            try:
                consumer.catch_up(copy, get)
            except Killed:
                deaths += 1
    Mortal.left = 10**9
    with closing(consumer.open_copy(path)) as copy:
        assert equal(copy, clean_database, get)
    assert deaths > 5


def test_killed_while_asking_it_reads_the_page_again(deliver, copy, get, clean_database):
    deliver("erp-north", "1", name="Blue Shield of Oregon")
    prepare(clean_database, None)

    def dies_at_details(address):
        if "golden" in address:
            raise Killed
        return get(address)

    with pytest.raises(Killed):
        consumer.catch_up(copy, dies_at_details)
    assert consumer.position(copy) is None
    assert equal(copy, clean_database, get)


def test_after_a_restore_the_copy_is_made_anew_without_what_was_lost(deliver, copy, get, clean_database):
    deliver("erp-north", "1", name="Blue Shield of Oregon")
    assert equal(copy, clean_database, get)
    copy.execute("insert into golden values ('of the lost tail', 'payer', 'active', null, 1)")
    copy.commit()
    clean_database.run(lambda session: new_epoch(session, SYSTEM_ACTOR))
    deliver("erp-north", "2", name="Quite Another Company")
    assert equal(copy, clean_database, get)


def test_a_copy_that_read_ahead_of_what_was_then_undone_reads_again(deliver, copy, get, clean_database, tell):
    golden_id = deliver("erp-north", "1", name="Blue Shield of Oregon").golden_id
    assert equal(copy, clean_database, get)
    held = tell(2, about=golden_id, release_at=datetime.now(UTC) + timedelta(minutes=1))
    copy.execute("update golden set status = 'merged', merged_into = 'what it became for a moment'")
    copy.commit()
    clean_database.run(lambda session: withdraw(session, held))
    assert equal(copy, clean_database, get)
