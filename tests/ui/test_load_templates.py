"""Templates by their pages: which there are, what two versions say otherwise, a former one used again; nobody sees another's."""

import re

import pytest

from mdm.db import fetch
from mdm.entities import ENTITY_TYPES
from mdm.load_steps import Step
from mdm.load_targets import Binding
from mdm.load_templates import keep

AT = "/loads/templates/payer/billing-north"


@pytest.fixture
def two_versions(database):
    first = (Binding("key", "PAYER_NO"), Binding("name", "PAYER_NM"), Binding("city", "TOWN"))
    second = (Binding("key", "PAYER_NO"), Binding("name", "LEGAL_NM"), Binding("state", "TOWN"))
    steps = [Step("map_values", "TOWN", pairs=(("Bath", "ME"),)).as_json()]
    with database.unit_of_work() as session:
        keep(session, ENTITY_TYPES["payer"], "billing-north", first, [], "ann")
        keep(session, ENTITY_TYPES["payer"], "billing-north", second, steps, "bea")


def kept(database):
    with database.unit_of_work() as session:
        return fetch(session, "select version, created_by from load_template order by version")


def test_without_a_template_the_page_says_what_to_do(enter):
    page = enter("loader").get("/loads/templates").text
    assert "No template yet" in page
    assert 'href="/loads/new"' in page
    assert all(f"/loads/blank/{name}.xlsx" in page for name in ENTITY_TYPES)
    narrow = enter("loader", domains=["payer"]).get("/loads/templates").text
    assert re.findall(r"/loads/blank/(\w+)\.xlsx", narrow) == ["payer"]


def test_the_list_leads_to_each_template_and_is_found(enter, two_versions):
    loader = enter("loader")
    assert f'href="{AT}"' in loader.get("/loads/templates").text
    assert 'href="/loads/templates"' in loader.get("/loads").text
    assert 'href="/loads/templates"' in enter("admin").get("/admin").text


def test_the_newest_version_stands_beside_the_one_before(enter, two_versions):
    page = enter("loader").get(AT).text
    assert "Columns of version 2" in page
    found = re.findall(r'<span class="chip \w*">((?:column|repair) \w+|goes elsewhere)</span></td><th scope="row"><bdi>(\w+)', page)
    assert found == [("column added", "LEGAL_NM"), ("column removed", "PAYER_NM"), ("goes elsewhere", "TOWN"), ("repair added", "TOWN")]
    assert "map values TOWN (1 values)" in page
    assert ">Bath<" not in page  # values of a file are no business of this page


def test_any_two_versions_are_compared_by_their_address(enter, two_versions):
    loader = enter("loader")
    page = loader.get(f"{AT}?version=1&against=2").text
    assert "Columns of version 1" in page
    assert "repair removed" in page
    assert "says the same as" in loader.get(f"{AT}?version=2&against=2").text
    assert "nothing was before it" in loader.get(f"{AT}?version=1").text
    for wrong in ("version=3", "against=0", "version=x"):
        assert loader.get(f"{AT}?{wrong}").status_code == 404


def test_a_former_version_is_used_again(enter, two_versions, database):
    loader = enter("loader")
    assert loader.post(AT, again="1", version="2").location == AT
    assert [version for version, _ in kept(database)] == [1, 2, 3]
    page = loader.get(AT).text
    assert "Columns of version 3" in page
    assert "PAYER_NM" in page
    assert loader.post(AT, again="1", version="2").status_code == 303  # twice is as once
    stale = loader.post(AT, again="2", version="2")
    assert (stale.status_code, "kept meanwhile" in stale.text) == (409, True)
    for wrong in ({"again": "x", "version": "3"}, {"again": "2"}):
        assert loader.post(AT, **wrong).status_code in {400, 422}
    assert loader.post(AT, again="9", version="3").status_code == 404
    assert len(kept(database)) == 3
    with database.unit_of_work() as session:
        assert fetch(session, "select count(*) from audit where action = 'template:again'") == [(1,)]


def test_a_template_out_of_scope_is_not_there(enter, two_versions, database):
    for narrow in (enter("loader", domains=["item"]), enter("loader", systems=["ehr-north"])):
        assert AT not in narrow.get("/loads/templates").text
        assert narrow.get(AT).status_code == 404
        assert narrow.post(AT, again="1", version="2").status_code == 404
    assert enter("loader").get("/loads/templates/zeppelin/billing-north").status_code == 404
    assert enter("loader").get("/loads/templates/payer/ehr-north").status_code == 404
    for role in ("steward", "auditor", "integration"):
        nobody = enter(role)
        assert nobody.get("/loads/templates").status_code == 403
        assert nobody.get(AT).status_code == 403
        assert nobody.post(AT, again="1", version="2").status_code == 403
    assert len(kept(database)) == 2
