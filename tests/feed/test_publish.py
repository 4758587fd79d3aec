"""What may be said at all, and what is said later or never."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from mdm.db import DatabaseError
from mdm.errors import Conflict
from mdm.event_types import EVENT_TYPES, Field, check, is_of
from mdm.feed import Happening, publish, withdraw
from mdm.sequencer import has_unnumbered, number_events

ROOT = Path(__file__).parents[2]
SOON = timedelta(seconds=60)


def held():
    return datetime.now(UTC) + SOON


def numbered(rows):
    return [row[0] for row in rows("select data ->> 'version' from event where seq is not null order by seq")]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("golden.invented", {"version": 1}),
        ("golden.created", {}),
        ("golden.created", {"version": "1"}),
        ("golden.created", {"version": 1, "name": "Smith"}),
        ("golden.merged", {"into": "somebody"}),
        ("crosswalk.resolved", {"system": "William Smith"}),
        ("relationship.changed", {"types": ["works in"]}),
    ],
)
def test_what_is_not_declared_cannot_be_said(session, name, data):
    with pytest.raises(ValueError, match=name.replace(".", r"\.")):
        publish(session, "payer", [Happening(name, uuid4(), data)])


def test_no_kind_of_field_holds_a_name_a_date_of_birth_or_a_social_security_number():
    for value in ("William Smith", "Olsen, M", "12 Main St", "é", ["William Smith"], 1.5, None, True):
        assert not any(is_of(field, value, phi=True) for field in Field)


def test_a_missed_value_is_told_of_reference_data_alone(session):
    missed = [Happening("crosswalk.resolved", uuid4(), {"system": "erp-north", "value": "CC 4410"})]
    assert publish(session, "cost_center", missed)
    with pytest.raises(ValueError, match="value"):
        publish(session, "patient", missed)


def test_every_declared_type_explains_itself_and_stands_in_the_documents():
    documented = (ROOT / "docs" / "feed.md").read_text()
    for name, each in EVENT_TYPES.items():
        assert each.help.endswith(".")
        assert f"`mdm.{name}`" in documented


def test_the_types_in_use_are_declared():
    check("golden.merged", {"into": str(uuid4())})
    check("golden.updated", {"version": 2, "before": 1})


def test_a_held_event_waits_and_with_it_all_later_ones_of_its_golden_record(tell, rows, clean_database):
    golden_id = uuid4()
    tell(1, about=golden_id, release_at=held())
    tell(2, about=golden_id)
    tell(3)
    assert numbered(rows) == ["3"]
    assert clean_database.run(has_unnumbered) is False


def test_when_its_time_has_come_everything_follows_in_order(tell, rows):
    golden_id = uuid4()
    tell(1, about=golden_id, release_at=datetime.now(UTC) + timedelta(seconds=4), numbered=False)
    tell(2, about=golden_id)
    assert numbered(rows) == []
    rows("select pg_sleep(4.1)")
    tell(3, about=golden_id)
    assert numbered(rows) == ["1", "2", "3"]


def test_what_was_withdrawn_was_never_said_and_holds_nobody_back(tell, rows, clean_database):
    """Whoever read the record meanwhile is told to read it again."""
    golden_id = uuid4()
    merge = tell(1, about=golden_id, release_at=held())
    undo = tell(2, about=golden_id, release_at=held())
    clean_database.run(lambda session: withdraw(session, [*merge, *undo]))
    tell(3, about=golden_id)
    assert numbered(rows) == [None, "3"]
    assert rows("select type from event where seq is not null order by seq limit 1") == [("golden.restated",)]


def test_what_is_in_the_feed_cannot_be_withdrawn(tell, rows, clean_database):
    said, waiting = tell(1), tell(2, release_at=held())
    with pytest.raises(Conflict):
        clean_database.run(lambda session: withdraw(session, [*waiting, *said]))
    assert rows("select count(*) from event where withdrawn_at is not null") == [(0,)]


def test_withdrawing_twice_is_refused(tell, clean_database):
    waiting = tell(1, release_at=held())
    clean_database.run(lambda session: withdraw(session, waiting))
    with pytest.raises(Conflict):
        clean_database.run(lambda session: withdraw(session, waiting))


def test_withdrawing_and_numbering_exclude_each_other(tell, clean_database):
    waiting = tell(1, release_at=held())
    tell(2, numbered=False)
    with clean_database.unit_of_work() as session:
        withdraw(session, waiting)
        assert clean_database.run(number_events) == 0
    assert clean_database.run(number_events) == 2  # the other one, and the word to read again


@pytest.mark.parametrize(
    "statement",
    [
        "update event set data = '{}'",
        "update event set release_at = now()",
        "update event set withdrawn_at = now(), seq = 9",
        "update event set golden_id = gen_random_uuid()",
        "delete from event",
    ],
)
def test_the_database_itself_refuses_any_other_change_of_an_event(tell, rows, statement):
    tell(1, release_at=held())
    with pytest.raises(DatabaseError, match="23001"):
        rows(statement)


def test_a_withdrawn_event_is_never_numbered(tell, rows, clean_database):
    waiting = tell(1, release_at=held())
    clean_database.run(lambda session: withdraw(session, waiting))
    with pytest.raises(DatabaseError, match="23001"):
        rows("update event set seq = 1000000")
