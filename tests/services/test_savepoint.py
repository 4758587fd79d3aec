"""Part of a transaction can fail by itself."""

import pytest

from mdm.db import execute, fetch, savepoint

TABLE = "create temporary table said (word text) on commit drop"


def fail_after(session, statement):
    with savepoint(session):
        execute(session, statement)
        raise ZeroDivisionError


def test_what_fails_in_a_savepoint_is_taken_back_alone(database):
    with database.unit_of_work() as session:
        execute(session, TABLE)
        with pytest.raises(ZeroDivisionError):
            fail_after(session, "insert into said values ('inside')")
        execute(session, "insert into said values ('after')")
        assert fetch(session, "select word from said") == [("after",)]


def test_a_savepoint_may_be_the_first_of_its_transaction(database):
    with database.unit_of_work() as session:
        with pytest.raises(ZeroDivisionError):
            fail_after(session, TABLE)
        assert fetch(session, "select to_regclass('said')::text") == [(None,)]
