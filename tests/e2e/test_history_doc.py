"""The worked examples of docs/history.md, sent in order to a fresh registry; `<name>` is bound where it is first answered."""

import json
import re
from pathlib import Path

from api.app import create_app
from mdm.access import NewPrincipal, Role, create_client
from mdm.db import fetch
from mdm.settings import Settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "history.md"
NOW = "select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


def examples():
    """Every step: what is sent, a body or none, and what is answered."""
    blocks = re.findall(r"```http\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    return [step.splitlines() for block in blocks for step in block.strip().split("\n\n")]


def filled(text, names):
    for name, value in names.items():
        text = text.replace(f"<{name}>", value)
    return text


def agrees(wanted, found, names):
    """Whether an answer holds what the document says; a name is bound to what it meets first."""
    if isinstance(wanted, dict):
        return all(key in found and agrees(value, found[key], names) for key, value in wanted.items())
    if isinstance(wanted, list):
        return len(wanted) == len(found) and all(agrees(a, b, names) for a, b in zip(wanted, found, strict=True))
    name = re.fullmatch(r"<(\w+)>", wanted) if isinstance(wanted, str) else None
    return found == (names.setdefault(name[1], found) if name else wanted)


def test_the_examples_of_the_history_are_true(clean_database, tmp_path):
    settings = Settings.from_env({"MDM_HOME": str(tmp_path), "MDM_PROFILE": "test", "MDM_LOG_LEVEL": "CRITICAL"})
    client = create_app(clean_database, settings).test_client()
    with clean_database.unit_of_work() as session:
        _, key = create_client(session, settings.key_pepper(), NewPrincipal("docs", Role.INTEGRATION), created_by="test")
    names, steps = {}, examples()
    assert len(steps) >= 8
    for first, *rest in steps:
        if first.startswith("moment "):
            with clean_database.unit_of_work() as session:
                names[first[8:-1]] = fetch(session, NOW)[0][0]
            continue
        method, path = first.split(" ", 1)
        *body, wanted = rest
        sent = {"json": json.loads(filled(body[0], names))} if body else {}
        answer = client.open(filled(path, names), method=method, headers={"Authorization": f"Bearer {key}"}, **sent)
        status, _, expected = wanted.removeprefix("=> ").partition(" ")
        assert answer.status_code == int(status), (first, answer.json)
        assert agrees(json.loads(expected), answer.json, names), (first, answer.json)
