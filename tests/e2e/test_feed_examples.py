"""The examples of docs/feed.md, run as they stand; "..." is any value, {name} a value of an earlier answer."""

import json
import re
from pathlib import Path

import pytest

from api.app import create_app
from mdm.access import SYSTEM_ACTOR, NewPrincipal, Role, create_client
from mdm.couriers import prepare
from mdm.entities import ENTITY_TYPES
from mdm.ingest import deliver_all
from mdm.settings import Settings
from mdm.standardise import Delivery

TEXT = (Path(__file__).parents[2] / "docs" / "feed.md").read_text()
EXAMPLES = [block.split("\n\n") for block in re.findall(r"```http\n(.*?)```", TEXT, re.DOTALL)]


@pytest.fixture
def call(clean_database, tmp_path):
    given = {"MDM_HOME": str(tmp_path), "MDM_PROFILE": "test", "MDM_LOG_LEVEL": "CRITICAL", "MDM_WEBHOOK_HOSTS": "127.0.0.1"}
    settings = Settings.from_env(given)
    client = create_app(clean_database, settings).test_client()
    with clean_database.unit_of_work() as session:
        who = NewPrincipal("docs", Role.ADMIN, grants=frozenset({"phi"}))
        _, token = create_client(session, settings.key_pepper(), who, created_by="test")
    rows = [Delivery("erp-north", str(number), {"name": f"Payer number {number}"}) for number in range(3)]
    deliver_all(clean_database, ENTITY_TYPES["payer"], SYSTEM_ACTOR, rows, "test")
    prepare(clean_database, None)

    def one(method, path, body):
        return client.open(path, method=method, json=body, headers={"Authorization": f"Bearer {token}"})

    return one


def fits(wanted, got):
    if wanted == "...":
        return True
    if isinstance(wanted, dict):
        names = wanted.keys() - {"..."}
        return (names == got.keys() or "..." in wanted) and all(name in got and fits(wanted[name], got[name]) for name in names)
    if isinstance(wanted, list):
        return len(wanted) == len(got) and all(map(fits, wanted, got))
    return wanted == got


def filled(text, known):
    return re.sub(r"\{(\w+)\}", lambda found: known[found[1]], text)


def test_every_example_answers_as_it_says(call):
    known = {}
    assert len(EXAMPLES) >= 7
    for asked, said in EXAMPLES:
        first, _, body = filled(asked, known).partition("\n")
        method, path = first.split()
        status, _, wanted = filled(said, known).partition("\n")
        answer = call(method, path, json.loads(body) if body.strip() else None)
        assert (answer.status_code, fits(json.loads(wanted), answer.json)) == (int(status), True), (first, answer.json)
        known |= {name: value for name, value in answer.json.items() if isinstance(value, str)}
