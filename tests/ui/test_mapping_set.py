"""A mapping set's page: trying it, drafts, approval by another person, retirement, conflicts, coverage, releases."""

import re
from datetime import date

import pytest

from mdm.access import SYSTEM_ACTOR
from mdm.mapping_sets import By, Definition, Input, Output, put_set

AT = "/mappings/sets/posting"


@pytest.fixture
def posting(database, deliver):
    inputs = Input("department", "department", required=True), Input("payer_class")
    definition = Definition("Where charges are posted", inputs, (Output("account"),), owner="Finance")
    with database.unit_of_work() as session:
        put_set(session, By(SYSTEM_ACTOR, "test-request", date(2026, 7, 1)), "posting", definition, if_match=None)
    return deliver("department", "erp-north", {"name": "Cardiac Stepdown", "code": "4410"}, key="4410").golden_id


def draft(browser, account="402100", **fields):
    typed = {"in-department": "4410", "system-department": "erp-north", "out-0-account": account, "share-0": "100", **fields}
    return browser.post(f"{AT}/drafts", **typed)


def chosen(page):
    return re.findall(r'name="rule" id="[^"]+" value="([^"]+)"', page)


def test_who_may_only_read_writes_and_retires_no_rule_even_of_plain_texts(database, browser, person):
    definition = Definition("Plain", (Input("kind"),), (Output("account"),), owner="Finance")
    with database.unit_of_work() as session:
        put_set(session, By(SYSTEM_ACTOR, "test-request", date(2026, 7, 1)), "posting", definition, if_match=None)
    browser.enter_as(person("auditor"))
    assert draft(browser, **{"in-department": "", "system-department": "", "in-kind": "A"}).status_code == 403


def test_a_draft_answers_once_another_person_approved_it(steward, other, posting):
    assert draft(steward).location == f"{AT}?status=draft"
    page = steward.get(f"{AT}?status=draft").text
    assert "Cardiac Stepdown" in page
    assert chosen(page) == []
    assert "No rule fits" in steward.post(f"{AT}/try", **{"in-department": str(posting), "system-department": ""}).text
    rules = chosen(other.get(AT).text)
    assert len(rules) == 1
    assert other.post(f"{AT}/approvals", rule=rules).status_code == 303
    tried = steward.post(f"{AT}/try", **{"in-department": "4410", "system-department": "erp-north"}).text
    assert "Answered" in tried
    assert "402100" in tried


def test_nobody_approves_a_rule_of_their_own_by_a_raw_form(steward, posting):
    draft(steward)
    rule = re.search(r'title="([^"]+)">#', steward.get(AT).text)[1]
    answer = steward.post(f"{AT}/approvals", rule=f"{rule} 1")
    assert answer.status_code == 403
    assert "another person than the author" in answer.text


def test_a_clash_is_told_and_nothing_is_approved(steward, other, posting):
    draft(steward)
    other.post(f"{AT}/approvals", rule=chosen(other.get(AT).text))
    draft(steward, account="999999")
    answer = other.post(f"{AT}/approvals", rule=chosen(other.get(AT).text))
    assert answer.status_code == 409
    assert "has the same conditions" in answer.text
    assert "The same conditions at the same time" in steward.get(f"{AT}/conflicts").text


def test_shares_that_are_not_whole_come_back_as_typed(steward, posting):
    answer = draft(steward, **{"share-0": "60", "share-1": "30", "out-1-account": "7"})
    assert answer.status_code == 422
    assert "100 together" in answer.text
    assert 'value="402100"' in answer.text
    assert 'value="30"' in answer.text


def test_a_rule_is_retired_with_a_reason_at_the_version_that_was_read(steward, other, posting):
    draft(steward)
    other.post(f"{AT}/approvals", rule=chosen(other.get(AT).text))
    form = re.search(rf'action="({AT}/rules/([^"]+)/retire)"', other.get(AT).text)
    assert other.post(form[1], if_match="1", **{f"why-{form[2]}": "x"}).status_code == 412
    assert other.post(form[1], if_match="2", **{f"why-{form[2]}": "no longer used"}).status_code == 303
    assert "Approved 0" in other.get(AT).text


def test_a_release_is_made_compared_and_brought_back(steward, other, posting):
    def revision():
        return re.search(r'name="if_match" value="(\d+)"', other.get(f"{AT}/releases").text)[1]

    other.post(f"{AT}/releases", if_match=revision(), note="empty")
    draft(steward)
    other.post(f"{AT}/approvals", rule=chosen(other.get(AT).text))
    assert other.post(f"{AT}/releases", if_match=revision(), note="first rules").status_code == 303
    compared = other.get(f"{AT}/releases?before=1&after=2").text
    assert "1 added, 0 removed, 0 changed" in compared
    assert other.post(f"{AT}/releases/1/rollback", if_match=revision(), **{"note-1": "called off"}).status_code == 303
    assert "brought back 1" in other.get(f"{AT}/releases").text
    assert "Approved 0" in other.get(AT).text


def test_coverage_says_what_no_rule_reaches(steward, posting):
    page = steward.get(f"{AT}/coverage").text
    assert "Nobody has asked this set yet" in page
    assert f"/records/department/{posting}" in page


def test_a_set_of_a_closed_domain_is_forbidden_and_not_listed(browser, person, posting):
    browser.enter_as(person(domains=["payer"]))
    assert browser.get(AT).status_code == 403
    assert "Where charges" not in browser.get("/mappings").text


@pytest.mark.parametrize("path", ["/mappings/sets/none", f"{AT}/nonsense"])
def test_what_is_not_there_says_so(steward, posting, path):
    assert steward.get(path).status_code == 404


def test_a_bad_filter_is_refused(steward, posting):
    assert steward.get(f"{AT}?status=lost").status_code == 422
    assert steward.get(f"{AT}/coverage?as_of=soon").status_code == 422
