"""The upgraded schema is the mapped one, there is one head, and history cannot be rewritten."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import mdm.tables_relations  # noqa: F401  (maps its tables)
from mdm.migrate import config, is_current, migrate
from mdm.tables_work import Base


def test_upgraded_schema_equals_the_mapped_tables(database):
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_there_is_one_head():
    assert len(ScriptDirectory.from_config(config()).get_heads()) == 1


def test_migrating_twice_changes_nothing(database):
    migrate(database)
    assert is_current(database)


@pytest.mark.parametrize("table", ["audit", "decision", "event", "source_record_version"])
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


def test_equal_approved_rules_may_not_overlap(database):
    insert = (
        "insert into mapping_rule (id, set_code, conditions, conditions_hash, outputs, status, valid_from)"
        " values (gen_random_uuid(), 's', '{}', 7, '{}', 'approved', :d)"
    )
    with database.engine.begin() as connection:
        connection.execute(
            text("insert into mapping_set (code, label, inputs, outputs) values ('s', 's', '{}', '{}') on conflict do nothing")
        )
        connection.execute(text(insert), {"d": "2026-01-01"})
    with pytest.raises(DBAPIError, match="no_overlap"), database.engine.begin() as connection:
        connection.execute(text(insert), {"d": "2026-02-01"})
