"""A tenth domain is one file: dropped into a copy of the tree, it has endpoints, schema, validation, matching, pages and property tests."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COPIED = ("matching", "mdm", "api", "stewardship_ui", "migrations", "seed", "tests", "pyproject.toml")

GADGET = '''
"""Gadgets: a throwaway domain."""

from matching.levels import alike, part, same, shares
from matching.model import BlockingRule, Comparison, Level, Model, Thresholds
from mdm.entity import Attribute, EntityType, IdentifierRule, RelationshipRule
from mdm.values.code import CODE
from mdm.values.organisation_name import ORGANISATION_NAME

ENTITY = EntityType(
    name="gadget",
    plural="gadgets",
    label="Gadget",
    help="A thing for a test.",
    attributes=(Attribute("name", ORGANISATION_NAME, required=True, searchable=True), Attribute("model_code", CODE)),
    identifiers=(IdentifierRule("gtin", "gs1-gtin", many=True),),
    model=Model(
        version="gadget-1",
        prior=-8.0,
        comparisons=(
            Comparison("name", ("name",), (
                Level("same", 0.7, 0.001, (same("name"),)),
                Level("alike", 0.2, 0.009, (alike("name", 0.9),)),
                Level("different", 0.1, 0.99),
            ), "name"),
            Comparison("model", ("model_code",), (
                Level("same", 0.9, 0.001, (same("model_code"),)), Level("different", 0.1, 0.999),
            ), "identifier"),
            Comparison("gtin", ("gtin",), (Level("same", 0.9, 0.0001, (shares("gtin"),)), Level("different", 0.1, 0.9999)), "identifier"),
        ),
        blocking=(
            BlockingRule("model", (part("model_code"),)),
            BlockingRule("name", (part("name", 0, 4),)),
            BlockingRule("gtin", (part("gtin"),)),
        ),
        thresholds=Thresholds(review=0.0, link=6.0),
    ),
    display=("name", "model_code"),
    relationships=(RelationshipRule("part_of", "gadget", "parts", hierarchy=True), RelationshipRule("made_by", "supplier", "makes")),
)
'''

SCRIPT = """
import json, os, sys
from mdm import access
from mdm.access import SYSTEM_ACTOR, NewPrincipal, Role, create_client
from mdm.authentication import create_person
from mdm.db import Database, fetch
from mdm.migrate import migrate
from mdm.settings import Settings
from mdm.systems import put_system
from api.app import create_app
from stewardship_ui.sessions import open_session
from stewardship_ui.site import add_pages

database = Database(sys.argv[1])
migrate(database)
settings = Settings.from_env({"MDM_HOME": sys.argv[2], "MDM_PROFILE": "test", "MDM_LOG_LEVEL": "CRITICAL"})
with database.unit_of_work() as session:
    for code in ("erp-north", "ehr-north"):
        put_system(session, code, name=code, kind="erp", organization="Northfield")
    _, key = create_client(session, settings.key_pepper(), NewPrincipal("t", Role.INTEGRATION), created_by="test")
client = add_pages(create_app(database, settings)).test_client()
headers = {"Authorization": f"Bearer {key}"}
put = lambda system, key, **a: client.put(f"/v1/gadgets/sources/{system}/{key}", json={"attributes": a}, headers=headers)
first = put("erp-north", "1", name="Widget Pump", model_code="WP-1")
second = put("ehr-north", "9", name="WIDGET PUMP", model_code="WP-1")
bad = put("ehr-north", "10", colour="red")
match = client.post("/v1/gadgets/match", json={"attributes": {"name": "Widget Pump", "model_code": "WP-1"}, "limit": 3}, headers=headers)
lookup = client.get("/v1/crosswalk/gadget/erp-north/1?to=ehr-north", headers=headers)
said = [{"type": "part_of", "system": "erp-north", "value": "1"}]
part = client.put("/v1/gadgets/sources/erp-north/2", json={"attributes": {"name": "Valve"}, "relationships": said}, headers=headers)
way = client.get(f"/v1/gadgets/golden/{part.get_json()['golden_id']}/path", headers=headers).get_json()["items"]
twins = [put(system, "7", name="Torque Valve").get_json() for system in ("erp-north", "ehr-north")]
with database.unit_of_work() as session:
    create_person(session, NewPrincipal("ann", Role.STEWARD), "correct horse battery")
    ann = fetch(session, "select id from principal where name = 'ann'")[0][0]
    client.set_cookie("__Host-concord", open_session(session, access.person(session, ann)))
    task = fetch(session, "select id from task where domain = 'gadget' and kind = 'review'")[0][0]
review, golden = client.get(f"/tasks/{task}").text, first.get_json()["golden_id"]
places = ("/tasks?domain=gadget", f"/records/gadget/{golden}", "/mappings/ehr-north/gadget", "/hierarchies/gadget:main", "/quality")
document = client.get("/openapi.json").get_json()
print(json.dumps({
    "status": [r.status_code for r in (first, second, bad, match, lookup)],
    "same": first.get_json()["golden_id"] == second.get_json()["golden_id"] == match.get_json()["results"][0]["golden_id"],
    "above": way[-1]["golden_id"] == first.get_json()["golden_id"] and len(way) == 2,
    "targets": [t["value"] for t in lookup.get_json()["targets"]],
    "paths": sum("/gadgets/" in path for path in document["paths"]),
    "reviewed": [said in review for said in ('data-row="name"', "Torque Valve", "data-total", 'data-verb')],
    "pages": [client.get(place).status_code for place in places],
    "schema": any("model_code" in json.dumps(schema) for schema in document["components"]["schemas"].values()),
}))
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    copy = tmp_path_factory.mktemp("tree")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "e2e", "bench"))
        else:
            shutil.copy(source, copy / name)
    (copy / "mdm/entities/gadget.py").write_text(GADGET)
    return copy


def in_tree(tree, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    return subprocess.run([sys.executable, *arguments], cwd=tree, env=environment, capture_output=True, text=True, timeout=300, check=False)


def test_it_is_delivered_matched_looked_up_and_documented(tree, new_database, tmp_path):
    done = in_tree(tree, "-c", SCRIPT, new_database().url, str(tmp_path))
    assert done.returncode == 0, done.stderr[-2000:]
    seen = json.loads(done.stdout)
    assert seen["status"] == [200, 200, 422, 200, 200]
    assert seen["same"]
    assert seen["above"]
    assert seen["targets"] == ["9"]
    assert seen["paths"] >= 6
    assert seen["reviewed"] == [True] * 4
    assert seen["pages"] == [200] * 5
    assert seen["schema"]


def test_it_has_property_tests(tree):
    done = in_tree(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/entities/test_every_domain.py", "-k", "gadget")
    assert done.returncode == 0, done.stdout[-2000:]
    assert "5 passed" in done.stdout
