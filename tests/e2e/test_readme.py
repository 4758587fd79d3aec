"""The README's tour works as printed: its blocks run in order, in one shell, against a served world that holds what they name."""

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from mdm import demo, serving
from mdm.embedded.process import wait_until
from mdm.settings import Settings
from seed.load import load_world
from seed.world import build_world
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"^```bash tour\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
NAMED_KEYS = {"10237956", "10434918", "0100-011020", "0100-018010"}
NAMED_NAMES = ("Musolino", "Cordane")
OTHERS = 40  # deliveries of each domain that the tour does not name
READY_SECONDS = 60  # 2 s on a machine that does nothing else
MARK = "=== end of block ==="


def small_world():
    """What the tour names, each with all its records, and some more of everything."""
    world = build_world()
    entities, seen = set(), Counter()
    for each in world.deliveries:
        seen[each.domain] += 1
        if seen[each.domain] <= OTHERS or is_named(each):
            entities.add(world.truth[each.domain, each.system, each.key])
    chosen = [each for each in world.deliveries if world.truth[each.domain, each.system, each.key] in entities]
    return replace(world, deliveries=tuple(chosen))


def is_named(delivery):
    names = [delivery.attributes.get(name, "") for name in ("name", "family_name")]
    return delivery.key in NAMED_KEYS or any(each in name for name in names for each in NAMED_NAMES)


@pytest.fixture(scope="module")
def place(new_database, tmp_path_factory):
    """A folder as the reader stands in: `.mdm/demo.json` names a service that runs."""
    folder = tmp_path_factory.mktemp("reader")
    database = new_database.migrated()
    assert load_world(database, small_world(), lambda _: None) == 0
    variables = {"MDM_HOME": str(folder / ".mdm"), "MDM_DATABASE_URL": database.url, "MDM_BROKER_URL": "none", "MDM_PORT": str(free_port())}
    settings = Settings.from_env(variables)
    demo.write_credentials(settings, demo.credentials(database, settings))
    environ = {"PATH": os.defpath, "MDM_WEB_WORKERS": "1", "MDM_LOG_LEVEL": "CRITICAL", **variables}
    server = subprocess.Popen([sys.executable, "-m", "mdm.cli", "serve"], cwd=ROOT, env=environ, process_group=0)
    try:
        assert wait_until(lambda: serving.is_ready(settings), READY_SECONDS)
        yield folder
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@pytest.fixture(scope="module")
def said(place):
    """What each block printed."""
    script = "set -euo pipefail\n" + "".join(f"{block}\nprintf '%s\\n' '{MARK}'\n" for block in BLOCKS)
    done = subprocess.run(["bash", "-c", script], cwd=place, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split(MARK)[:-1]


@pytest.fixture
def answers(said):
    """answers("crosswalk/validate") -> the JSON documents that the one block with this in a command printed."""

    def find(command):
        (index,) = (number for number, block in enumerate(BLOCKS) if command in block)
        decoder, rest, found = json.JSONDecoder(), said[index].strip(), []
        while rest:
            document, end = decoder.raw_decode(rest)
            found.append(document)
            rest = rest[end:].strip()
        return found

    return find


def test_every_block_was_run(said):
    assert len(said) == len(BLOCKS) == 8


def test_the_erp_calls_the_emergency_department_so(answers):
    (found,) = answers("?to=erp-north")
    assert found["outcome"] == "found"
    assert [target["value"] for target in found["targets"]] == ["D01793"]
    assert found["golden_id"]


def test_many_values_in_order_and_what_nobody_knows_says_so(answers):
    (found,) = answers("crosswalk/translate")
    assert [result["value"] for result in found["results"]] == ["10237956", "10434918", "no such thing"]
    assert [result["outcome"] for result in found["results"]] == ["found", "found", "unknown_value"]


def test_the_closed_cost_center_is_refused(answers):
    (found,) = answers("crosswalk/validate")
    assert (found["valid"], found["reason"]) == (False, "inactive")


def test_the_patient_is_found_and_shown_why(answers):
    (found,) = answers("patients/match")
    best = found["results"][0]
    assert best["grade"] == "certain"
    assert {"name", "birth"} <= {each["group"] for each in best["evidence"]}


def test_the_delivery_says_what_became_of_it(answers):
    (found,) = answers("curl -s -X PUT")
    assert (found["outcome"], found["problems"]) == ("linked", [])
    assert {"golden_id", "evidence", "notes"} <= set(found)


def test_the_golden_record_says_where_each_value_comes_from(answers):
    ((delivered,), (golden, history)) = answers("curl -s -X PUT"), answers("GOLDEN=")
    name = golden["provenance"]["name"]
    assert golden["values"]["name"] == "CORDANE MEDICAL CORP"
    assert name["record_id"] in golden["records"]
    assert {"value": "Cordane Medical Corp.", "record_id": delivered["record_id"]} in name["losing"]
    assert [item["version"] for item in history["items"]] == [2, 1]


def test_taken_back_it_goes_on_answering(answers):
    ((delivered,), (found,)) = answers("curl -s -X PUT"), answers("curl -s -X DELETE")
    assert found["outcome"] == "inactive"
    assert found["golden_id"] == delivered["golden_id"]
