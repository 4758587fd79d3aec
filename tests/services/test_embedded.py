"""Embedded services, with real processes: started once, found again, healed, stopped without a trace."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from mdm.embedded import check_database, check_port_free, ensure_postgres, ensure_valkey, postgres, stop
from mdm.embedded.postgres import BUFFERS_MB_MAX, BUFFERS_MB_MIN
from mdm.embedded.process import pid_in, running, wait_until
from mdm.errors import ServiceError
from mdm.settings import Settings

START_ELSEWHERE = """
import os
from mdm.embedded import ensure_postgres, ensure_valkey
from mdm.settings import Settings
settings = Settings.from_env(os.environ)
print(ensure_postgres(settings), ensure_valkey(settings))
"""


def settings_for(home: Path, **variables: str) -> Settings:
    return Settings.from_env({"MDM_HOME": str(home), **variables})


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    made = settings_for(tmp_path / "home")
    yield made
    stop(made)


def ask(url: str, statement: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement).fetchone()
        return None if row is None else row[0]


def postmaster(settings: Settings) -> int | None:
    return running(settings.home / "postgres" / "data" / "postmaster.pid", settings.home / "postgres" / "data")


def valkey(settings: Settings) -> int | None:
    return running(settings.home / "valkey" / "pid", settings.home / "valkey")


def ping(url: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(url.removeprefix("redis+socket://"))
        line.sendall(b"PING\r\n")
        return line.recv(16)


def processes_of(home: Path) -> list[bytes]:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return [line for line in lines if os.fsencode(home) in line]


def test_both_answer_and_stop_leaves_nothing(settings):
    assert ask(ensure_postgres(settings), "select current_user || '@' || current_database()") == "concord@concord"
    assert ping(ensure_valkey(settings)) == b"+PONG\r\n"
    stop(settings)
    assert processes_of(settings.home) == []
    assert not list(settings.home.rglob("*.sock"))
    assert not list(settings.home.rglob(".s.PGSQL*"))


@pytest.mark.parametrize(
    ("limit", "megabytes"), [("max\n", None), (None, None), ("2147483648\n", 512), ("268435456\n", BUFFERS_MB_MIN), (str(2**40), None)]
)
def test_its_buffers_are_a_quarter_of_what_a_container_may_have(settings, tmp_path, monkeypatch, limit, megabytes):
    said = tmp_path / "memory.max"
    if limit is not None:
        said.write_text(limit)
    monkeypatch.setattr(postgres, "MEMORY_LIMITS", (said,))
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    wanted = megabytes or min(max(machine // 4, BUFFERS_MB_MIN), BUFFERS_MB_MAX)
    blocks = ask(ensure_postgres(settings), "select setting::int from pg_settings where name = 'shared_buffers'")
    assert blocks == wanted * 1024 // 8


def test_the_database_is_durable_closed_and_discreet(settings):
    url = ensure_postgres(settings)
    expected = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "listen_addresses": "", "data_checksums": "on"}
    expected |= {
        "log_error_verbosity": "terse",
        "log_parameter_max_length_on_error": "0",
        "server_encoding": "UTF8",
        "max_connections": "100",
    }
    assert {name: ask(url, f"select current_setting('{name}')") for name in expected} == expected
    assert ask(url, "select rolsuper from pg_roles where rolname = current_user") is False
    assert Path(f"/proc/{postmaster(settings)}").stat().st_uid != 0


def test_other_processes_find_what_runs_even_when_all_start_at_once(settings):
    environ = {**os.environ, "MDM_HOME": str(settings.home)}
    command = [sys.executable, "-c", START_ELSEWHERE]
    starters = [subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    urls = {starter.communicate(timeout=60)[0].strip() for starter in starters}
    pids = (postmaster(settings), valkey(settings))
    assert urls == {f"{ensure_postgres(settings)} {ensure_valkey(settings)}"}
    assert (postmaster(settings), valkey(settings)) == pids
    assert None not in pids


def test_a_killed_server_heals_and_keeps_what_was_committed(settings):
    url, broker = ensure_postgres(settings), ensure_valkey(settings)
    with psycopg.connect(url) as connection:
        connection.execute("create table kept as select 42 as answer")
    held = psycopg.connect(url)  # its backend is alive when the postmaster dies
    for pid in (postmaster(settings), valkey(settings)):
        os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: (postmaster(settings), valkey(settings)) == (None, None), 5)
    assert (ensure_postgres(settings), ensure_valkey(settings)) == (url, broker)
    assert ask(url, "select answer from kept") == 42
    assert ping(broker) == b"+PONG\r\n"
    held.close()


def test_a_pid_file_that_names_somebody_else_is_not_believed(settings):
    url, broker = ensure_postgres(settings), ensure_valkey(settings)
    stop(settings)
    stranger = f"{os.getpid()}\n"
    (settings.home / "postgres" / "data" / "postmaster.pid").write_text(stranger)
    (settings.home / "postgres" / ".s.PGSQL.5432.lock").write_text(stranger)
    (settings.home / "valkey" / "pid").write_text(stranger)
    assert (ensure_postgres(settings), ensure_valkey(settings)) == (url, broker)
    assert ask(url, "select 1") == 1
    assert pid_in(settings.home / "valkey" / "pid") != os.getpid()


def test_stop_signals_nobody_but_the_server(settings):
    ensure_postgres(settings)
    stop(settings)
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (settings.home / "postgres" / "data" / "postmaster.pid").write_text(f"{stranger.pid}\n")
        stop(settings)
        assert stranger.poll() is None
        stranger.kill()


def test_a_hung_broker_is_replaced(settings, monkeypatch):
    monkeypatch.setattr("mdm.embedded.valkey.ANSWER_SECONDS_MAX", 1)
    broker, hung = ensure_valkey(settings), valkey(settings)
    os.kill(hung, signal.SIGSTOP)
    assert ensure_valkey(settings) == broker
    assert valkey(settings) not in (hung, None)


def test_a_first_start_that_was_killed_is_begun_again(settings):
    ensure_postgres(settings)
    stop(settings)
    (settings.home / "postgres" / "data").rename(settings.home / "postgres" / "data.new")
    assert ask(ensure_postgres(settings), "select 1") == 1


def test_a_home_too_deep_for_a_socket_works_and_its_short_folder_goes_with_it(tmp_path):
    deep = settings_for(tmp_path / ("x" * 60) / ("with a space and 'quotes' " + "y" * 60))
    try:
        assert ask(ensure_postgres(deep), "select 1") == 1
        assert ping(ensure_valkey(deep)) == b"+PONG\r\n"
        short = [Path(ensure_valkey(deep).removeprefix("redis+socket://")).parent]
        assert [folder.parent for folder in short] == [Path(tempfile.gettempdir())]
    finally:
        stop(deep)
    assert not short[0].exists()
    assert processes_of(deep.home) == []


def test_stop_where_nothing_was_ever_started_makes_nothing(tmp_path):
    stop(settings_for(tmp_path / "home"))
    assert list(tmp_path.iterdir()) == []


def test_with_urls_given_nothing_is_embedded(tmp_path):
    given = settings_for(tmp_path / "home", MDM_DATABASE_URL="postgresql://u@h/db", MDM_BROKER_URL="none")
    assert ensure_postgres(given) == "postgresql://u@h/db"
    assert ensure_valkey(given) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ensure", [ensure_postgres, ensure_valkey])
def test_a_home_that_cannot_be_written_is_one_clear_line(tmp_path, ensure):
    late = settings_for(tmp_path / "home")
    (tmp_path / "home").touch()
    with pytest.raises(ServiceError, match=r"^MDM_HOME cannot be used: .*home.*$"):
        ensure(late)


def test_a_folder_that_others_can_enter_is_refused(settings):
    settings.home.mkdir()
    (settings.home / "valkey").mkdir(mode=0o755)
    with pytest.raises(ServiceError, match=r"only user \d+ can enter"):
        ensure_valkey(settings)


def test_a_database_that_does_not_answer_is_one_line_without_its_password():
    with pytest.raises(ServiceError, match="cannot be reached") as caught:
        check_database("postgresql://u:hunter2@127.0.0.1:1/db")
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_database_that_answers_is_accepted(settings):
    check_database(ensure_postgres(settings))


def test_a_taken_port_is_one_clear_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServiceError, match=f"port {port} "):
            check_port_free(settings_for(tmp_path, MDM_PORT=str(port)))
    check_port_free(settings_for(tmp_path, MDM_PORT=str(port)))
