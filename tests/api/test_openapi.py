"""The OpenAPI document is valid, and says everything about every route."""

import re
from html.parser import HTMLParser

import pytest
from openapi_spec_validator import validate

from api.auth import GUARDED
from mdm.entities import ENTITY_TYPES
from mdm.reasons import REASON_MAX

METHODS = {"get", "put", "post", "delete"}


@pytest.fixture
def spec(client):
    return client.get("/openapi.json").json


def operations(spec):
    return [(path, method, item[method]) for path, item in spec["paths"].items() for method in METHODS & set(item)]


def test_the_document_is_valid_openapi_3_1(spec):
    assert spec["openapi"].startswith("3.1")
    validate(spec)


def test_every_route_stands_in_the_document(app, spec):
    documented = {(path, method.upper()) for path, method, _ in operations(spec)}
    served = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(GUARDED)
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert served <= documented


@pytest.mark.parametrize("entity", ENTITY_TYPES.values(), ids=lambda entity: entity.name)
def test_every_domain_has_paths_and_a_schema_with_its_attributes(spec, entity):
    assert f"/v1/{entity.path}/sources/{{system}}/{{key}}" in spec["paths"]
    name = "".join(part.capitalize() for part in entity.name.split("_"))
    attributes = spec["components"]["schemas"][f"{name}Attributes"]
    assert set(attributes["properties"]) == {attribute.name for attribute in entity.attributes}
    assert set(attributes.get("required", ())) == {attribute.name for attribute in entity.attributes if attribute.required}
    assert attributes["additionalProperties"] is False


def test_every_refusal_is_a_problem_document(spec):
    assert spec["components"]["responses"]
    for response in spec["components"]["responses"].values():
        assert list(response["content"]) == ["application/problem+json"]


def test_guarded_operations_say_that_they_refuse_and_how_to_get_in(spec):
    for path, _, operation in operations(spec):
        if path.startswith(GUARDED):
            assert operation["security"] == [{"key": []}], path
            assert {"401", "403", "503"} <= set(operation["responses"]), path


def test_operations_with_a_body_say_how_it_can_be_wrong(spec):
    for path, _, operation in operations(spec):
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= set(operation["responses"]), path


def test_operation_ids_are_unique_and_summaries_are_there(spec):
    guarded = [operation for path, _, operation in operations(spec) if path.startswith(GUARDED)]
    ids = [operation["operationId"] for operation in guarded]
    assert len(ids) == len(set(ids))
    assert all(operation["summary"] for operation in guarded)


class Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.ids, self.tags = [], set(), set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.found += [value for name, value in attrs if name in {"href", "src"}]
        self.ids |= {value for name, value in attrs if name == "id"}


def test_the_pages_need_no_script_and_nothing_from_elsewhere(client):
    page = client.get("/docs")
    links = Links()
    links.feed(page.text)
    assert "script" not in links.tags
    assert all(link.startswith(("/", "#")) for link in links.found)
    assert {link[1:] for link in links.found if link.startswith("#")} <= links.ids
    assert client.get("/docs/docs.css").status_code == 200
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_what_people_say_of_an_act_has_one_bound(spec):
    """Reasons and notes of every route, and what the pages let be typed, come from one declaration."""
    found = {
        (name, said["maxLength"])
        for schema in spec["components"]["schemas"].values()
        for name, said in schema.get("properties", {}).items()
        if name in {"reason", "note"} and "maxLength" in said
    }
    assert {length for _, length in found} == {REASON_MAX}
    assert {name for name, _ in found} == {"reason", "note"}
