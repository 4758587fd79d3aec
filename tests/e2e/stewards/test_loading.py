"""A file through the wizard with its worker killed half way, twice: it ends as if nobody had been. MDM_UI_ROWS: its rows (200)."""

import json
import os
import signal
import subprocess
import sys
import time

import openpyxl
import pytest

from mdm.db import execute, fetch
from mdm.invariants import violations
from tests.bench.people import delivered
from tests.e2e.stewards.conftest import PASSWORD, until
from tests.loads.conftest import deliver, mercy, state

ROWS = int(os.environ.get("MDM_UI_ROWS", "200"))
PATIENCE = 60 + ROWS // 50  # seconds for a stage: the machine may be busy with other tests
STATE = "select state, coalesce((progress ->> 'done')::float, 0) from job where kind = %s order by created_at desc limit 1"
STAGED = "select count(*) from load_row"  # a plan does not say how far it is
RETURNED = "update job set state = 'queued', lease_until = null where kind = %s and state = 'running'"  # as the sweeper does in a minute
COUNTS = """
() => Object.fromEntries([...document.querySelectorAll('.outcomes a')].map(
  each => [each.hash.slice(1), Number(each.querySelector('b').textContent.replaceAll(',', ''))]))
"""
APPLIED = "() => [...document.querySelectorAll('table tbody tr')].map(row => row.cells[2].textContent.trim())"


@pytest.fixture
def shell(world, server):
    """What the worker and the commands of this installation are told."""
    told = {"MDM_HOME": str(server[1].parent), "MDM_DATABASE_URL": world.url, "MDM_BROKER_URL": "none", "MDM_PROFILE": "demo"}
    return os.environ | told


@pytest.fixture
def worker(shell):
    """worker() -> the process of another worker of this installation."""
    started = []

    def start():
        command = [sys.executable, "-m", "mdm.cli", "worker", "--concurrency", "1"]
        started.append(subprocess.Popen(command, env=shell, stderr=subprocess.DEVNULL))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.wait()


def half(world, kind, victim):
    """This worker is killed once half of the rows are through its job of this kind; a small one, as soon as it has begun."""
    _wait(lambda: _is_half(world, kind))
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    world.run(lambda session: execute(session, RETURNED, (kind,)))


def _is_half(world, kind):
    with world.unit_of_work() as session:
        state_of, done = fetch(session, STATE, (kind,))[0]
        assert state_of in {"queued", "running"}, "it was done before its worker could be killed"
        rows = fetch(session, STAGED)[0][0] if kind == "load_plan" else done
    return state_of == "running" and (ROWS < 10_000 or rows * 2 >= ROWS)


def _wait(is_so):
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def workbook(path, people):
    names = sorted({name for row in people for name in row.attributes})
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(["key", *names, "ssn"])
    for row in people:
        sheet.append([row.key, *(row.attributes.get(name, "") for name in names), dict(row.identifiers).get("us-ssn", "")])
    book.save(path)
    return ["key", *names, "identifier:us-ssn"]


def test_a_load_by_its_pages_survives_the_deaths_of_its_workers(world, shell, worker, person, browse, tmp_path):
    deliver(world, [delivered(number) for number in range(50)])
    before = state(world)
    file = tmp_path / "people.xlsx"
    targets = workbook(file, mercy(new=range(1_000, 1_000 + ROWS - 50), again=range(50)))
    watched = browse(person("lou", role="loader", grants=["phi"]))
    watched.allowed.add(403)  # a password that is older than five minutes is asked for once more
    page = watched.page
    page.set_default_timeout(PATIENCE * 1000)
    page.goto("/loads/new")
    page.select_option("#domain", "patient")
    page.select_option("#system", "ehr-mercy")
    page.set_input_files("#file", str(file))
    page.click("button.main:visible")
    page.wait_for_url("**/upload")
    load = page.url.removesuffix("/upload").rpartition("/")[2]
    page.goto(f"/loads/{load}/columns")
    for place, target in enumerate(targets):
        page.select_option(f"#target-{place}", target)
    page.click("button[value=save]")
    page.wait_for_url("**/values")
    page.goto(f"/loads/{load}/plan")
    page.click("button.main:visible")
    half(world, "load_plan", worker())
    second = worker()
    until(page, "document.querySelector('.outcomes') !== null", seconds=PATIENCE)  # nobody pressed anything
    planned = page.evaluate(COUNTS)
    assert sum(planned.values()) - planned["absent"] == ROWS
    assert state(world) == before
    assert _told(shell, "status", load)["counts"] == planned
    page.goto(f"/loads/{load}/apply")
    for box in page.locator("[name=despite]").all():
        box.check()
    press(page, "button.main:visible")
    half(world, "load_apply", second)
    worker()
    until(page, "document.body.textContent.includes('What came out')", seconds=PATIENCE)
    assert page.evaluate(APPLIED) == [f"{each:,}" for each in planned.values()]
    assert world.run(lambda session: violations(session, deep=ROWS < 10_000)) == []
    again = _told(shell, "plan", str(file), "--domain", "patient", "--system", "ehr-mercy")
    assert again["same_as"] == load
    page.goto(f"/loads/{load}/undo")
    press(page, "button.danger")
    until(page, "document.body.textContent.includes('This load is undone')", seconds=PATIENCE)
    assert state(world) == before


def press(page, button):
    page.click(button)
    page.wait_for_load_state()
    if page.locator("#proof").count():
        page.fill("#proof", PASSWORD)
        page.click("button.main:visible")


def _told(shell, *asked):
    """What the command line says of a load, as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "mdm.cli", "load", *asked, "--json"], env=shell, capture_output=True, text=True, check=False
    )
    return json.loads(done.stdout)
