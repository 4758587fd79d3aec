"""Every route x role, generated from the application itself: a route that this table does not know fails the test."""

import re

import pytest

from api.app import create_app
from api.auth import GUARDED, declared
from mdm.access import Role
from mdm.entities import ENTITY_TYPES

EVERYBODY = frozenset(Role)
READERS = frozenset({Role.INTEGRATION, Role.STEWARD, Role.ADMIN})
SUBMITTERS = frozenset({Role.INTEGRATION})
PUBLIC = {"/livez", "/readyz", "/metrics", "/openapi.json", "/docs", "/docs/docs.css"}

# Operation -> who may, where nothing is of patients.
LOADERS = frozenset({Role.LOADER, Role.ADMIN})
MAY = {
    "put_source": SUBMITTERS,
    "put_sources": SUBMITTERS,
    "delete_source": SUBMITTERS,
    "get_source": READERS,
    "get_golden": READERS,
    "get_history": READERS,
    "get_diff": READERS,
    "get_source_history": READERS,
    "get_sources": READERS,
    "match": READERS,
    "explain": READERS,
    "search": READERS,
    "put_system": frozenset({Role.ADMIN}),
    "get_relationships": READERS,
    "post_relationship": frozenset({Role.STEWARD}),
    "end_relationship": frozenset({Role.STEWARD}),
    "get_subtree": READERS,
    "get_path": READERS,
    "list_hierarchies": READERS,
    "get_hierarchy": READERS,
    "diff_hierarchy": READERS,
    "get_system": EVERYBODY,
    "list_systems": EVERYBODY,
    "list_identifier_systems": EVERYBODY,
    "list_tasks": READERS,
    "get_task": READERS,
    "decide_task": frozenset({Role.STEWARD}),
    "undo_task": frozenset({Role.STEWARD}),
    "merge_golden": frozenset({Role.STEWARD}),
    "split_golden": frozenset({Role.STEWARD}),
    "move_records": frozenset({Role.STEWARD}),
    "link_golden": frozenset({Role.STEWARD}),
    "pin_value": frozenset({Role.STEWARD}),
    "unpin_value": frozenset({Role.STEWARD}),
    "list_decisions": READERS,
    "preview_survivorship": frozenset({Role.ADMIN}),
    "get_decision": READERS,
    "undo_decision": frozenset({Role.STEWARD}),
    "get": READERS,  # the crosswalk's; domain and system stand in path or body, and are checked there
    "lookup": READERS,
    "translate": READERS,
    "validate": READERS,
    "get_ticket": READERS,
    "create_load": LOADERS,
    "create_loads": LOADERS,
    "list_loads": LOADERS,
    "get_load": LOADERS,
    "plan_load": LOADERS,
    "apply_load": LOADERS,
    "undo_load": LOADERS,
    "preview_undo": LOADERS,
    "get_rejects": LOADERS,
    "withdraw_load_request": LOADERS,
    "get_load_report": LOADERS,
    "get_blank_workbook": LOADERS,
    "list_load_templates": LOADERS,
    "list_jobs": EVERYBODY,  # administrators see all, others what they asked for
    "get_job": EVERYBODY,
    "cancel_job": EVERYBODY,
    "retry_job": frozenset({Role.ADMIN}),
    "list_mapping_sets": READERS,
    "get_mapping_set": READERS,
    "put_mapping_set": frozenset({Role.ADMIN}),
    "resolve_mapping": READERS,
    "get_mapping_coverage": READERS,
    "get_mapping_conflicts": READERS,
    "list_mapping_rules": READERS,
    "get_mapping_rule": READERS,
    "write_mapping_rules": frozenset({Role.STEWARD}),
    "edit_mapping_rule": frozenset({Role.STEWARD}),
    "retire_mapping_rule": frozenset({Role.STEWARD}),
    "approve_mapping_rules": frozenset({Role.STEWARD}),
    "list_mapping_releases": READERS,
    "get_mapping_release": READERS,
    "compare_mapping_releases": READERS,
    "release_mapping": frozenset({Role.STEWARD}),
    "roll_back_mapping": frozenset({Role.STEWARD}),
    "create_key": frozenset({Role.ADMIN}),
    "list_keys": frozenset({Role.ADMIN}),
    "revoke_key": frozenset({Role.ADMIN}),
    "list_changes": READERS,
    "list_consumers": READERS,
    "get_consumer": READERS,
    "put_consumer": frozenset({Role.ADMIN}),
    "acknowledge": READERS,
    "get_rekey": READERS,
    "list_webhooks": frozenset({Role.ADMIN}),
    "get_webhook": frozenset({Role.ADMIN}),
    "create_webhook": frozenset({Role.ADMIN}),
    "change_webhook": frozenset({Role.ADMIN}),
    "rotate_webhook_secret": frozenset({Role.ADMIN}),
    "ping_webhook": frozenset({Role.ADMIN}),
    "replay_webhook": frozenset({Role.ADMIN}),
    "list_dead_letters": frozenset({Role.ADMIN}),
}

# Of patients, these ask for the grant from clients and administrators.
PHI_READS = {
    *("get_source", "get_golden", "get_history", "get_diff", "get_source_history", "get_sources"),
    *("search", "explain", "list_decisions"),
}


def may(operation: str, domain: str | None, role: Role, *, has_grant: bool) -> bool:
    is_phi = domain is not None and ENTITY_TYPES[domain].phi
    if is_phi and not has_grant and (role is Role.ADMIN or (role is Role.INTEGRATION and operation in PHI_READS)):
        return False
    return role in MAY[operation]


def guarded_routes(app):
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(GUARDED):
            for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
                yield rule, method


def operation_of(rule):
    blueprint, _, name = rule.endpoint.rpartition(".")
    return name, blueprint if blueprint in ENTITY_TYPES else None


def address(rule):
    return re.sub(r"<[^>]+>", "1", rule.rule)


def test_the_table_knows_every_operation_and_no_other(app):
    assert {operation_of(rule)[0] for rule, _ in guarded_routes(app)} == set(MAY)


def test_every_route_declares_its_access(app):
    closed = [rule.rule for rule, _ in guarded_routes(app) if declared(app.view_functions[rule.endpoint]) is None]
    assert closed == []


def test_what_is_open_to_everybody_is_listed(app):
    assert {rule.rule for rule in app.url_map.iter_rules() if not rule.rule.startswith(GUARDED)} == PUBLIC


@pytest.mark.parametrize("has_grant", [False, True])
@pytest.mark.parametrize("role", list(Role))
def test_the_matrix_of_routes_and_roles(app, client, key, role, has_grant):
    headers = key(role.value, grants=["phi"] if has_grant else [])
    wrong = []
    for rule, method in guarded_routes(app):
        operation, domain = operation_of(rule)
        answer = client.open(address(rule), method=method, headers=headers)
        allowed = answer.status_code not in {401, 403}
        if answer.status_code >= 500 or allowed is not may(operation, domain, role, has_grant=has_grant):
            wrong.append((method, rule.rule, answer.status_code))
    assert wrong == []


def test_nobody_passes_without_a_key(app, client):
    statuses = {client.open(address(rule), method=method).status_code for rule, method in guarded_routes(app)}
    assert statuses == {401}


def test_a_route_without_declared_access_is_closed_to_all(database, settings, key):
    bare = create_app(database, settings)
    bare.add_url_rule("/v1/forgotten", "forgotten", lambda: "secret")
    answer = bare.test_client().get("/v1/forgotten", headers=key("admin", grants=["phi", "unmask"]))
    assert answer.status_code == 403


def test_a_key_of_one_domain_is_closed_out_of_every_other(app, client, key):
    headers = key("integration", domains=["payer"], grants=["phi"])
    for rule, method in guarded_routes(app):
        operation, domain = operation_of(rule)
        if domain is not None:
            status = client.open(address(rule), method=method, headers=headers).status_code
            assert (status == 403) is (domain != "payer" or Role.INTEGRATION not in MAY[operation]), (method, rule.rule)


def test_a_key_of_one_system_writes_only_as_that_system(client, key):
    headers = key("integration", systems=["erp-north"])
    assert client.put("/v1/payers/sources/erp-north/1", json={"attributes": {"name": "Blue Shield"}}, headers=headers).status_code == 200
    for system in ("ehr-mercy", "not-there"):
        answer = client.put(f"/v1/payers/sources/{system}/1", json={"attributes": {"name": "Blue Shield"}}, headers=headers)
        assert (answer.status_code, answer.json["code"]) == (403, "forbidden")


def test_a_foreign_row_of_a_batch_fails_alone(clean_database, client, key):
    rows = [{"system": system, "key": "1", "attributes": {"name": "Aetna"}} for system in ("erp-north", "ehr-mercy")]
    answer = client.post("/v1/payers/sources:batch", json={"records": rows}, headers=key("integration", systems=["erp-north"]))
    assert [row["outcome"] for row in answer.json["results"]] == ["new", "forbidden"]
    assert answer.json["results"][1]["golden_id"] is None


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "Bearer x", "Bearer mdm_live_" + "a" * 36, "Bearer " + "é" * 45])
def test_every_bad_key_has_the_same_answer(client, header):
    answer = client.get("/v1/systems", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.json == client.get("/v1/systems").json
    assert answer.headers["WWW-Authenticate"] == "Bearer"
