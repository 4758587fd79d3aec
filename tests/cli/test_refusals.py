"""What cannot work is one clear line and status 1, never a traceback, and names what to change without repeating a secret."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mdm.migrate import migrate
from tests.ports import free_port

COMMANDS = (("up",), ("serve",), ("worker",), ("migrate",), ("seed",), ("doctor",), ("demo",), ("keys", "create", "n", "--role", "admin"))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_bad_settings_are_all_named_in_one_line(mdm, command):
    said = mdm(*command, MDM_PORT="eighty", MDM_PROFILE="staging")
    assert said.is_one_clear_line
    assert "MDM_PORT" in said.err
    assert "MDM_PROFILE" in said.err


@pytest.mark.parametrize("command", [c for c in COMMANDS if c != ("doctor",)], ids=" ".join)
def test_a_database_that_is_not_there(mdm, command):
    said = mdm(*command, MDM_DATABASE_URL="postgresql://u:hunter2@127.0.0.1:9/none", MDM_PORT=str(free_port()))
    assert said.is_one_clear_line
    assert "database cannot be reached" in said.err
    assert "hunter2" not in said.err


def test_a_broker_that_is_not_there(mdm):
    said = mdm("up", MDM_BROKER_URL="redis://:hunter2@127.0.0.1:9/0")
    assert said.is_one_clear_line
    assert "MDM_BROKER_URL" in said.err
    assert "hunter2" not in said.err


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_port_that_is_taken(mdm, command):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = mdm(command, MDM_PORT=str(taken.getsockname()[1]))
    assert said.is_one_clear_line
    assert "port" in said.err


def test_a_home_that_cannot_be_made(mdm, tmp_path):
    (tmp_path / "file").touch()
    said = mdm("up", MDM_HOME=str(tmp_path / "file" / "home"), MDM_DATABASE_URL=None, MDM_BROKER_URL=None)
    assert said.is_one_clear_line
    assert "MDM_HOME" in said.err


def test_a_home_that_cannot_be_written(mdm):
    said = mdm("up", MDM_HOME="/proc/concord", MDM_DATABASE_URL=None, MDM_BROKER_URL=None)
    assert said.is_one_clear_line
    assert "MDM_HOME" in said.err


def test_a_database_that_was_never_migrated(mdm, new_database):
    said = mdm("keys", "create", "n", "--role", "admin", MDM_DATABASE_URL=new_database().url)
    assert said.is_one_clear_line
    assert "mdm migrate" in said.err


def test_migrate_brings_an_empty_database_to_the_schema_and_does_so_twice(mdm, new_database):
    url = new_database().url
    assert [mdm("migrate", MDM_DATABASE_URL=url).status for _ in range(2)] == [0, 0]
    assert mdm("keys", "create", "n", "--role", "admin", MDM_DATABASE_URL=url).status == 0


def test_the_command_itself_ends_without_a_traceback(tmp_path):
    command = [sys.executable, "-m", "mdm.cli", "up"]
    environ = {"PATH": os.defpath, "MDM_HOME": str(tmp_path), "MDM_PORT": "eighty"}
    done = subprocess.run(command, cwd=Path(__file__).parents[2], env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "MDM_PORT" in done.stderr


@pytest.mark.parametrize("command", ["seed", "demo"])
def test_a_database_with_other_data_is_left_alone(mdm, command, sound):
    said = mdm(command, MDM_PORT=str(free_port()))
    assert said.is_one_clear_line
    assert "not the demo's" in said.err


def test_a_database_with_tables_of_others_is_left_alone(mdm, new_database):
    foreign = new_database()
    with foreign.engine.begin() as connection:
        connection.exec_driver_sql("create table theirs (id int)")
    assert mdm("seed", MDM_DATABASE_URL=foreign.url).is_one_clear_line
    with foreign.engine.begin() as connection:
        assert connection.exec_driver_sql("select tablename from pg_tables where schemaname = 'public'").scalars().all() == ["theirs"]


def test_a_world_that_is_not_there_is_not_compared(mdm, new_database):
    empty = new_database()
    assert "mdm migrate" in mdm("seed", "--check", MDM_DATABASE_URL=empty.url).err
    migrate(empty)
    said = mdm("seed", "--check", MDM_DATABASE_URL=empty.url)
    assert said.is_one_clear_line
    assert "mdm seed" in said.err


def test_the_demo_is_for_this_machine_and_no_production(mdm):
    assert "this machine only" in mdm("demo", MDM_HOST="0.0.0.0").err
    assert "production" in mdm("demo", MDM_PROFILE="production").err
