"""Requests made from the OpenAPI document: never a 5xx, never a status, content type or body that the document does not name.

The boundaries of every operation, each for itself, and random cases. Operations of a domain are one code over nine declarations: the gate
tries their boundaries with two of them, some 8,000 cases. CONCORD_CASES_PER_OPERATION asks for more random cases, and all boundaries.
"""

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from api.app import create_app
from mdm.access import NewPrincipal, Role, create_client
from mdm.db import Database
from mdm.entities import ENTITY_TYPES
from mdm.ids import new_id
from mdm.settings import Settings

CASES_ASKED = os.environ.get("CONCORD_CASES_PER_OPERATION")
CASES_PER_OPERATION = int(CASES_ASKED or "5")
SAMPLED = ("patient", "department")  # personal data, and a hierarchy
OTHERS = "" if CASES_ASKED else "|".join(each.path for each in ENTITY_TYPES.values() if each.name not in SAMPLED)
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


class Application:
    """The API before there is a database, which is enough for its document, and later the one under test."""

    def __init__(self) -> None:
        made = Settings.from_env({"MDM_HOME": ".mdm-none", "MDM_PROFILE": "test", "MDM_KEY_PEPPER": "x" * 32, "MDM_LOG_LEVEL": "CRITICAL"})
        self.target = create_app(Database("postgresql://nobody@127.0.0.1:9/none"), made)

    def __call__(self, environ, start_response):
        return self.target(environ, start_response)


application = Application()
LIMITS = settings(
    max_examples=CASES_PER_OPERATION,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)


def document(*, boundaries: bool):
    """Those of its operations of which the boundaries are tried, or those of which they are not."""
    found = schemathesis.openapi.from_wsgi("/openapi.json", application)
    found.config.phases.coverage.enabled = boundaries
    if not OTHERS:
        return found
    others = f"^/v1/({OTHERS})/"
    return found.exclude(path_regex=others) if boundaries else found.include(path_regex=others)


whole = document(boundaries=True)


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Random codes only ever meet 404: half of the time the system is one that there is."""
    if path_parameters and "system" in path_parameters and len(str(path_parameters["system"])) % 2:
        return {**path_parameters, "system": "ehr-north"}
    return path_parameters


@pytest.fixture(scope="module")
def served(database, tmp_path_factory):
    """The application, and a key of each role that some route asks for."""
    made = Settings.from_env({"MDM_HOME": str(tmp_path_factory.mktemp("home")), "MDM_PROFILE": "test", "MDM_LOG_LEVEL": "CRITICAL"})
    keys = {}
    with database.unit_of_work() as session:
        for role in (Role.INTEGRATION, Role.STEWARD, Role.ADMIN):
            who = NewPrincipal(f"conformance {role} {new_id()}", role, grants=frozenset({"phi"}))
            keys[role] = create_client(session, made.key_pepper(), who, created_by="test")[1]
    return create_app(database, made), keys


def role_for(case) -> Role:
    """Whoever may call it, so that most cases get past the door."""
    of_stewards = ("/v1/tasks", "/v1/mappings/{set_code}/", "/v1/relationships")
    if case.path.startswith(of_stewards) or (case.method == "POST" and case.path.endswith("/relationships")):
        return Role.STEWARD
    for_admins = ("/v1/keys", "/v1/jobs", "/v1/consumers", "/v1/webhooks")
    if case.path.startswith(for_admins) or (case.path.startswith(("/v1/systems", "/v1/mappings")) and case.method == "PUT"):
        return Role.ADMIN
    return Role.INTEGRATION


def keeps_to_the_document(case, served) -> None:
    application.target, keys = served
    case.call_and_validate(headers={"Authorization": f"Bearer {keys[role_for(case)]}"}, checks=CHECKS)


@whole.parametrize()
@LIMITS
def test_every_operation_keeps_to_the_document(case, served):
    keeps_to_the_document(case, served)


if OTHERS:

    @document(boundaries=False).parametrize()
    @LIMITS
    def test_every_operation_of_the_other_domains_keeps_to_the_document(case, served):
        keeps_to_the_document(case, served)
