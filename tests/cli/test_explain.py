"""`mdm match explain`: the same numbers as the API, for people and for programs."""

import json

import pytest

from mdm.access import SYSTEM_ACTOR
from mdm.entities import ENTITY_TYPES
from mdm.ingest import deliver_all
from mdm.standardise import Delivery

PAIR = ("match", "explain", "--domain", "supplier", "erp-north/1", "erp-mercy/1")


def test_a_pair_is_told_step_by_step(mdm):
    said = mdm(*PAIR)
    assert (said.status, said.err) == (0, "")
    assert "name: same" in said.out
    assert "\nlink: review from" in said.out
    assert "said nothing: phone" in said.out


def test_the_document_adds_up(mdm):
    found = json.loads(mdm(*PAIR, "--json").out)
    assert found["start"] + sum(step["weight"] for step in found["steps"]) + found["cap"] == pytest.approx(found["total"], abs=1e-9)
    assert found["outcome"] == "link"
    assert found["golden_ids"][0] == found["golden_ids"][1]


def test_a_patient_is_masked(mdm, damaged):
    person = {"given_name": "Maria", "family_name": "Rivera", "birth_date": "1980-02-29", "address_line": "12 Elm Street"}
    deliveries = [Delivery(system, "1", person) for system in ("erp-north", "erp-mercy")]
    deliver_all(damaged, ENTITY_TYPES["patient"], SYSTEM_ACTOR, deliveries, "test")
    said = mdm("match", "explain", "--domain", "patient", "erp-north/1", "erp-mercy/1", "--json", MDM_DATABASE_URL=damaged.url)
    assert said.status == 0
    assert "1980" in said.out
    assert "1980-02" not in said.out
    assert "Elm" not in said.out


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(("--domain", "nonsense", "a/1", "b/1"), 2), (("--domain", "supplier", "a", "b/1"), 2), (("--domain", "supplier", "a/1", "b/1"), 1)],
)
def test_what_cannot_be_explained_is_one_line(mdm, arguments, status):
    said = mdm("match", "explain", *arguments)
    assert (said.status, said.out, said.err.count("\n")) == (status, "", 1)
