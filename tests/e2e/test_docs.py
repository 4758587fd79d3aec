"""What the documents promise is there, what is there stands in the documents, and no file ties the project to one machine or mirror."""

import re
import subprocess
from argparse import _SubParsersAction
from pathlib import Path

import pytest

from api.app import create_app
from mdm.cli import _parser
from mdm.db import Database
from mdm.entities import ENTITY_TYPES
from mdm.settings import Settings

ROOT = Path(__file__).parents[2]
OF_EVERY_DOMAIN = (
    "sources:batch",
    "sources/{system}/{key}",
    "match",
    "explain",
    "search",
    "golden/{golden_id}",
    "golden/{golden_id}/history",
    "golden/{golden_id}/diff",
    "source-history/{system}/{key}",
    "golden/{golden_id}/sources",
)
OF_CONCORD = (
    "/v1/systems",
    "/v1/systems/{code}",
    "/v1/crosswalk/{domain}/{system}/{value}",
    "/v1/crosswalk/lookup",
    "/v1/crosswalk/translate",
    "/v1/crosswalk/validate",
    "/v1/crosswalk/tickets/{ticket_id}",
    "/v1/mappings",
    "/v1/mappings/{set_code}",
    "/v1/mappings/{set_code}/resolve",
    "/v1/mappings/{set_code}/coverage",
    "/v1/mappings/{set_code}/conflicts",
    "/v1/mappings/{set_code}/rules",
    "/v1/mappings/{set_code}/rules/{rule_id}",
    "/v1/mappings/{set_code}/approvals",
    "/v1/mappings/{set_code}/releases",
    "/v1/mappings/{set_code}/releases/compare",
    "/v1/mappings/{set_code}/releases/{number}",
    "/v1/mappings/{set_code}/releases/{number}/rollback",
    "/v1/tasks",
    "/v1/tasks/{task_id}",
    "/v1/tasks/{task_id}/decision",
    "/v1/jobs",
    "/v1/jobs/{job_id}",
    "/v1/jobs/{job_id}/cancel",
    "/v1/jobs/{job_id}/retry",
    "/v1/hierarchies",
    "/v1/hierarchies/{tree}",
    "/v1/hierarchies/{tree}/diff",
    "/v1/relationships/{relationship_id}",
    "/v1/keys",
    "/v1/keys/{key_id}",
    "/v1/changes",
    "/v1/consumers/{code}",
    "/v1/consumers/{code}/ack",
    "/v1/consumers/{code}/rekey",
    "/v1/webhooks",
    "/v1/webhooks/{webhook_id}",
    "/v1/webhooks/{webhook_id}/replay",
    "/livez",
    "/readyz",
    "/metrics",
)
# Hosts that a file may name: standards, and what is nobody's. No mirror or registry is among them.
KNOWN_HOST = re.compile(
    r"(?:[a-z0-9-]+\.)*(?:example(?:\.(?:org|com))?|hl7\.org|gs1\.org|nucc\.org|w3\.org|none\.com)|localhost|127\.0\.0\.1|h"
)
HOST = re.compile(r"https?://([a-z0-9.-]+)|\b((?:[a-z0-9-]+\.)+(?:org|io))\b", re.IGNORECASE)
TIED = re.compile(r"(?:index|registry)[_-]url[ =]+\S*:/|(?<![\w.}>*/])/(?:work|root|home|Users|tmp/v|opt|mnt)/(?![\"'` ])")


@pytest.fixture(scope="module")
def documents():
    return "\n".join(path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))))


def commands(parser, words=("mdm",)):
    """Every command as it is typed, those below a group included."""
    below = [action for action in parser._actions if isinstance(action, _SubParsersAction)]
    if not below:
        return [" ".join(words)]
    return [command for name, inner in below[0].choices.items() for command in commands(inner, (*words, name))]


def test_every_setting_is_documented(documents):
    settings = set(re.findall(r'"(MDM_[A-Z_]+)"', (ROOT / "mdm" / "settings.py").read_text()))
    assert len(settings) >= 9
    assert {each for each in settings if f"`{each}`" not in documents} == set()


def test_every_command_is_documented(documents):
    found = commands(_parser())
    assert "mdm keys create" in found
    assert [command for command in found if re.search(rf"\b{command}\b", documents) is None] == []


def test_every_documented_command_is_there(documents):
    groups = {command.split()[1] for command in commands(_parser())}
    assert set(re.findall(r"(?:bin/|`)mdm ([a-z]+)", documents)) <= groups


def test_the_contract_stands_in_the_openapi_document(tmp_path):
    settings = Settings.from_env({"MDM_HOME": str(tmp_path), "MDM_PROFILE": "test", "MDM_LOG_LEVEL": "CRITICAL"})
    app = create_app(Database("postgresql://nobody@127.0.0.1:9/none"), settings)
    paths = app.test_client().get("/openapi.json").json["paths"]
    promised = {*OF_CONCORD, *(f"/v1/{entity.path}/{route}" for entity in ENTITY_TYPES.values() for route in OF_EVERY_DOMAIN)}
    assert promised - set(paths) == set()


def test_no_file_names_a_registry_or_a_place_on_one_machine():
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-co", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    files = [ROOT / name for name in listed.stdout.splitlines()]
    assert len(files) > 100
    found = [(path, text) for path in files if path.is_file() for text in tied(path.read_text(errors="replace"))]
    assert [f"{path.relative_to(ROOT)}: {text}" for path, text in found] == []


def tied(text):
    """What ties a text to one machine, mirror or registry."""
    hosts = {match[1] or match[2] for match in HOST.finditer(text)}
    return [*(match[0] for match in TIED.finditer(text)), *sorted(host for host in hosts if KNOWN_HOST.fullmatch(host.lower()) is None)]


def test_hosts_and_places_are_told_from_other_words():
    assert tied("see https://www.example.org/a, hl7.org and mdm.io_bound") == []
    assert tied("from https://" + "mirror.acme.net/simple") == ["mirror.acme.net"]
    assert tied("from packages.acme" + ".io/a") == ["packages.acme" + ".io"]
    assert tied("in /ho" + "me/ann/x") == ["/home" + "/"]
