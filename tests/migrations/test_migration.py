"""The upgraded schema is the mapped one, there is one head, and history cannot be rewritten."""

from contextlib import contextmanager
from datetime import date
from uuid import UUID

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from mdm import (  # noqa: F401  (mapped by importing them)
    tables_feed,
    tables_identity,
    tables_jobs,
    tables_loads,
    tables_misses,
    tables_quality,
    tables_relations,
    tables_searches,
    tables_stewards,
    tables_upkeep,
)
from mdm.access import SYSTEM_ACTOR
from mdm.derive import as_json, shown_provenance
from mdm.jsonio import dumps
from mdm.mapping_answers import Ask, resolve
from mdm.migrate import config, migrate
from mdm.revision import head, is_current
from mdm.survive import Survivor
from mdm.tables_mapping import Base


def test_upgraded_schema_equals_the_mapped_tables(database):
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_there_is_one_head():
    assert ScriptDirectory.from_config(config()).get_heads() == [head()]


def test_migrating_twice_changes_nothing(database):
    migrate(database)
    assert is_current(database)


@pytest.mark.parametrize("table", ["audit", "decision", "event", "judgement", "source_record_version"])
def test_history_cannot_be_deleted(database, table):
    with database.engine.connect() as connection:
        found = connection.execute(
            text("select tgname from pg_trigger where tgrelid = cast(:t as regclass) and not tgisinternal"), {"t": table}
        )
        assert {row[0] for row in found} & {"append_only", "never_deleted"}


def test_an_audit_row_cannot_be_changed(database):
    with database.engine.begin() as connection:
        connection.execute(text("insert into audit (principal, action, request_id, outcome) values ('a', 'x:y', 'r', 'done')"))
    with pytest.raises(DBAPIError, match="append-only"), database.engine.begin() as connection:
        connection.execute(text("update audit set principal = 'b'"))


def test_a_redirect_to_a_merged_record_is_refused_by_the_database(database):
    statement = (
        "insert into golden_record (id, domain, status, merged_into) values (gen_random_uuid(), 'patient', 'merged', :into) returning id"
    )
    with database.engine.begin() as connection:
        alive = connection.execute(
            text("insert into golden_record (id, domain, status) values (gen_random_uuid(), 'patient', 'active') returning id")
        ).scalar_one()
        merged = connection.execute(text(statement), {"into": alive}).scalar_one()
    with pytest.raises(DBAPIError, match="one_hop"), database.engine.begin() as connection:
        connection.execute(text(statement), {"into": merged})


@pytest.fixture
def approved_rule(database):
    """approved_rule(valid_from) -> the id of a rule that is in the table as approved, all with equal conditions."""
    insert = (
        "insert into mapping_rule (id, set_code, conditions, conditions_hash, written, outputs, status, valid_from, author, approved_by)"
        " values (gen_random_uuid(), 's', '{}', 7, '{}', '[]', 'approved', :d, 'ann', :by) returning id"
    )

    def make(valid_from, approved_by="bob"):
        with database.engine.begin() as connection:
            connection.execute(text("insert into mapping_set (code) values ('s') on conflict do nothing"))
            return connection.execute(text(insert), {"d": valid_from, "by": approved_by}).scalar_one()

    return make


def test_equal_approved_rules_may_not_overlap(approved_rule):
    approved_rule("2026-01-01")
    with pytest.raises(DBAPIError, match="no_overlap"):
        approved_rule("2026-02-01")


def test_nobody_approves_a_rule_of_their_own(approved_rule):
    with pytest.raises(DBAPIError, match="two_persons"):
        approved_rule("1999-01-01", approved_by="ann")


@pytest.mark.parametrize("change", ["update mapping_rule set outputs = '{}'", "delete from mapping_rule"])
def test_a_rule_that_was_approved_is_never_rewritten(clean_database, approved_rule, change):
    rule_id = approved_rule("2026-01-01")
    with pytest.raises(DBAPIError, match=r"rewritten|append-only"), clean_database.engine.begin() as connection:
        connection.execute(text(change + " where id = :id"), {"id": rule_id})


def test_mapping_rules_of_before_go_on_answering(new_database):
    old = new_database()
    with _migrating(old) as (connection, made):
        command.upgrade(made, "0003")
        connection.execute(text("insert into mapping_set (code, label, inputs, outputs) values ('s', 'Old', '{department}', '{account}')"))
        connection.execute(
            text(
                "insert into mapping_rule (id, set_code, conditions, conditions_hash, outputs, status) values"
                """ (gen_random_uuid(), 's', '{"department": "4410"}', 7, '{"account": "401100"}', 'approved')"""
            )
        )
    migrate(old)
    with old.unit_of_work() as session:
        answered = resolve(session, SYSTEM_ACTOR, "s", [Ask({"department": "4410"}, date(2026, 1, 1))])
    assert answered.answers[0]["outputs"] == {"account": "401100"}


def test_slim_rows_say_what_the_former_ones_said(new_database):
    """Edges and provenance as 0022 kept them, there and back; what is made of them is what survivorship makes now."""
    old = new_database()
    one, other = UUID(int=1), UUID(int=2)
    former = {
        "sex": {"rule": "most_recent", "record_id": str(one), "losing": []},
        "given_name": {"rule": "group", "record_id": str(other), "losing": [{"record_id": str(one), "value": "Ana"}]},
        "phone": {"rule": "all", "record_id": str(one), "losing": [{"record_id": str(other), "value": ["+1617", "+1618"]}]},
    }
    survivors = {name: _survivor(**why) for name, why in former.items()}
    with _migrating(old) as (connection, made):
        command.upgrade(made, "0022")
        for statement in FORMER_ROWS:
            connection.execute(text(statement), {"one": one, "other": other, "why": dumps(former).decode()})
        command.upgrade(made, "0023")
        assert _provenance(connection) == [as_json(survivors)[1], {"records": [], "values": {}}]
        assert connection.execute(text("select vetoes from edge")).scalars().all() == [["birth date", 'a "quoted" one']]
        command.downgrade(made, "0022")
        assert _provenance(connection) == [former, {}]
        assert connection.execute(text("select evidence -> 'vetoes' from edge")).scalars().all() == [["birth date", 'a "quoted" one']]
    assert shown_provenance(as_json(survivors)[1]) == former


def test_rows_that_say_nothing_new_stand_among_the_others_again(new_database):
    old = new_database()
    with _migrating(old) as (connection, made):
        command.upgrade(made, "0024")
        for statement in SAME_ROWS:
            connection.execute(text(statement), {"one": UUID(int=1), "other": UUID(int=2)})
        command.downgrade(made, "0023")
        told = connection.execute(text("select no, key, planned, record_id, is_new, before, print from load_row order by no")).all()
    assert told == [(2, "a", "unchanged", UUID(int=1), False, 1, 77), (5, 'b"', "unchanged", UUID(int=2), False, 3, None)]


@contextmanager
def _migrating(database):
    with database.engine.begin() as connection:
        made = config()
        made.attributes["connection"] = connection
        yield connection, made


def _survivor(rule, record_id, losing):
    return Survivor("x", UUID(record_id), rule, tuple((UUID(lost["record_id"]), _value(lost["value"])) for lost in losing))


def _value(said):
    return said if isinstance(said, str) else tuple(said)


def _provenance(connection):
    return connection.execute(text("select provenance from golden_version order by version")).scalars().all()


FORMER_ROWS = (
    """insert into identifier_system (code, label, value_type, is_source) values ('ehr', 'EHR', 'text', true)""",
    """insert into system (code, name, kind, organization) values ('ehr', 'EHR', 'ehr', 'North')""",
    """insert into source_record (id, domain, system, key, status, version, hash, clean, columns, keys)
    select id, 'patient', 'ehr', id::text, 'active', 1, '', '{}', '{}', '{}' from unnest(array[cast(:one as uuid), :other]) id""",
    """insert into edge (low, high, weight, evidence, model_version) values
    (:one, :other, 3, '{"items": [], "capped": false, "vetoes": ["birth date", "a \\"quoted\\" one"]}', 'patient-1')""",
    """insert into golden_record (id, domain, status) values (:one, 'patient', 'active')""",
    """insert into golden_version (golden_id, version, "values", provenance, recorded_to) values
    (:one, 1, '{}', cast(:why as jsonb), now()), (:one, 2, '{}', '{}', null)""",
)
SAME_ROWS = (
    *FORMER_ROWS[:2],
    """insert into load (id, domain, system, name, place, sha256, bytes, options, created_by)
    values (:one, 'patient', 'ehr', 'f.csv', '', '', 1, '{}', 'test')""",
    """insert into load_plan (id, load_id) values (:one, :one)""",
    """insert into load_same (plan_id, no, numbers, keys, records, versions, prints)
    values (:one, 0, '{2, 5}', array['a', 'b"'], array[cast(:one as uuid), :other], '{1, 3}', '{77, 0}')""",
)
