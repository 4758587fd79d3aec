"""Rules from draft to retirement: two persons, all or nothing, nothing rewritten."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from threading import Barrier
from uuid import UUID

import pytest

from mdm.access import Actor, Role
from mdm.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from mdm.ids import new_id
from mdm.mapping import NewRule, edit_draft, list_rules, write_drafts
from mdm.mapping_approval import approve
from mdm.mapping_reports import conflicts
from tests.mapping.conftest import ANN, BOB, PLAIN, TODAY


def edit(rules, draft, *, actor=ANN, if_match=None, account="2"):
    rule = NewRule(draft.conditions, [("100", {"account": account})])
    version = draft.version if if_match is None else if_match
    return rules.run(lambda s: edit_draft(s, rules.by(actor), rules.code, draft.id, rule, if_match=version))


def test_the_author_does_not_approve(rules):
    draft = rules.draft({"department": "4410"}, "1")
    with pytest.raises(Forbidden) as refused:
        rules.approve(draft, actor=ANN)
    assert refused.value.problems[0].pointer == "/rules/0"
    assert rules.read(draft.id).status == "draft"


def test_only_the_named_approver_approves(rules):
    rules.define(replace(PLAIN, approver="carol"))
    with pytest.raises(Forbidden):
        rules.approve(rules.draft({"department": "4410"}, "1"))


def test_a_draft_belongs_to_its_author_and_has_a_version(rules):
    draft = rules.draft({"department": "4410"}, "1")
    with pytest.raises(Forbidden):
        edit(rules, draft, actor=BOB)
    with pytest.raises(Stale):
        edit(rules, draft, if_match=7)
    assert edit(rules, draft).outputs == {"account": "2"}


def test_what_was_approved_is_never_edited(rules):
    rule = rules.draft({"department": "4410"}, "1")
    rules.approve(rule)
    with pytest.raises(Conflict):
        edit(rules, rules.read(rule.id))


def test_an_approver_approves_what_was_read(rules):
    draft = rules.draft({"department": "4410"}, "1")
    edit(rules, draft)
    with pytest.raises(Stale):
        rules.approve(draft)


def test_an_overlap_names_the_rule_in_the_way_and_changes_nothing(rules):
    rule = rules.rule({"department": "4410"}, "1", valid_from=date(2026, 1, 1))
    good, bad = rules.draft({"department": "4411"}, "1"), rules.draft({"department": "4410"}, "2", valid_from=date(2026, 6, 1))
    revision = rules.revision
    with pytest.raises(Conflict) as refused:
        rules.approve(good, bad)
    (problem,) = refused.value.problems
    assert (problem.code, problem.pointer) == ("overlap", "/rules/1")
    assert str(rule) in problem.message
    assert {rules.read(each.id).status for each in (good, bad)} == {"draft"}
    assert rules.revision == revision


def test_two_drafts_that_overlap_are_refused_together(rules):
    drafts = [rules.draft({"department": "4410"}, account) for account in "12"]
    with pytest.raises(Conflict) as refused:
        rules.approve(*drafts)
    assert [problem.pointer for problem in refused.value.problems] == ["/rules/0", "/rules/1"]


def test_a_tie_is_refused_until_a_rule_of_both_answers(rules):
    rules.rule({"department": "4410"}, "1")
    tied = rules.draft({"payer_class": "medicare"}, "2")
    with pytest.raises(Conflict) as refused:
        rules.approve(tied)
    assert refused.value.problems[0].code == "tie"
    rules.approve(tied, rules.draft({"department": "4410", "payer_class": "medicare"}, "3"))
    assert rules.one({"department": "4410", "payer_class": "medicare"})["outputs"] == {"account": "3"}


def test_a_tie_on_some_days_only_is_found(rules):
    rules.rule({"department": "4410"}, "1")
    rules.rule({"department": "4410", "payer_class": "medicare"}, "3", valid_to=date(2026, 6, 30))
    with pytest.raises(Conflict) as refused:
        rules.approve(rules.draft({"payer_class": "medicare"}, "2"))
    assert "2026-07-01" in refused.value.problems[0].message


def test_all_drafts_of_others_at_once(rules):
    drafts = [rules.draft({"department": str(n)}, "1") for n in range(3)]
    own = rules.draft({"department": "9"}, "1", author=BOB)
    revision = rules.revision
    with pytest.raises(Stale):
        rules.run(lambda s: approve(s, rules.by(BOB), rules.code, None, if_match=revision - 1))
    done = rules.run(lambda s: approve(s, rules.by(BOB), rules.code, None, if_match=revision))
    assert (set(done.approved), done.left) == ({draft.id for draft in drafts}, (own.id,))


def test_a_replacement_ends_the_former_rule_the_day_before(rules):
    old = rules.rule({"department": "4410"}, "1", valid_from=date(2020, 1, 1))
    new = rules.rule({"department": "4410"}, "2", valid_from=date(2026, 7, 1), replaces=old)
    former = rules.read(old)
    in_force = rules.run(lambda s: list_rules(s, rules.code, status="approved", limit=9, cursor=None)).items
    assert (former.status, former.valid_to, former.spans[0].reason) == ("retired", None, "replaced")
    assert {(r.valid_from, r.valid_to, r.outputs["account"]) for r in in_force} == {
        (date(2020, 1, 1), date(2026, 6, 30), "1"),
        (date(2026, 7, 1), None, "2"),
    }
    assert new in {r.id for r in in_force}
    assert all(r.approved_by != r.author for r in in_force)


def test_a_replacement_from_the_beginning_leaves_nothing(rules):
    old = rules.rule({"department": "4410"}, "1", valid_from=date(2020, 1, 1))
    rules.rule({"department": "4410"}, "2", valid_from=date(2020, 1, 1), valid_to=date(2020, 12, 31), replaces=old)
    assert rules.one({"department": "4410"}, as_of=date(2021, 1, 1))["outcome"] == "no_rule"


def test_only_approved_rules_of_the_set_are_replaced(rules):
    with pytest.raises(Invalid):
        rules.draft({"department": "4410"}, "2", replaces=rules.draft({"department": "4410"}, "1").id)


def test_a_retired_rule_stays_retired_and_says_why(rules):
    rule = rules.rule({"department": "4410"}, "1")
    gone = rules.retire(rules.read(rule))
    assert (gone.status, gone.spans[0].closed_by, gone.spans[0].reason) == ("retired", "bob", "wrong")
    with pytest.raises(Conflict):
        rules.retire(gone)


def test_a_draft_is_withdrawn_not_erased(rules):
    draft = rules.draft({"department": "4410"}, "1")
    assert rules.retire(draft, actor=ANN).status == "retired"
    with pytest.raises(Conflict):
        rules.approve(rules.read(draft.id))


def test_a_draft_is_withdrawn_by_its_author_or_an_approver(rules):
    writer = Actor(new_id(), "writer", Role.INTEGRATION, grants=frozenset({"decide"}))
    with pytest.raises(Forbidden):
        rules.retire(rules.draft({"department": "4410"}, "1"), actor=writer)
    assert rules.retire(rules.draft({"department": "4410"}, "1", author=writer), actor=writer).status == "retired"
    assert rules.retire(rules.draft({"department": "4410"}, "1"), actor=BOB).status == "retired"


def test_every_problem_of_every_rule_is_told(rules):
    wrong = [
        NewRule({"nothing": "1"}, [("100", {"account": "1"})]),
        NewRule({"department": "1"}, [("100", {})], date(2026, 2, 1), date(2026, 1, 1)),
    ]
    with pytest.raises(Invalid) as refused:
        rules.run(lambda s: write_drafts(s, rules.by(), rules.code, wrong))
    assert {(p.code, p.pointer) for p in refused.value.problems} == {
        ("unknown_input", "/rules/0/conditions/nothing"),
        ("required", "/rules/1/splits/0/outputs/account"),
        ("invalid_period", "/rules/1/valid_to"),
    }


def test_rules_keep_what_they_speak_of(rules):
    rules.rule({"department": "4410"}, "1")
    with pytest.raises(Conflict) as refused:
        rules.define(replace(PLAIN, inputs=PLAIN.inputs[1:]))
    assert refused.value.problems[0].code == "in_use"


def test_no_domain_of_patients_takes_part(rules):
    with pytest.raises(Invalid):
        rules.define(replace(PLAIN, inputs=(replace(PLAIN.inputs[0], domain="patient"),)))


def test_a_rule_that_is_not_there_is_not_approved(rules):
    with pytest.raises(NotFound):
        rules.run(lambda s: approve(s, rules.by(BOB), rules.code, [(UUID(int=5), 1)], if_match=None))


def test_conflicts_of_a_draft_are_seen_before_approval(rules):
    rule = rules.rule({"department": "4410"}, "1")
    draft, successor = rules.draft({"department": "4410"}, "2"), rules.draft({"department": "4410"}, "3", replaces=rule)
    found = rules.run(lambda s: conflicts(s, ANN, rules.code, TODAY)).items
    assert {("overlap", frozenset(each.rules)) for each in found} == {
        ("overlap", frozenset({str(rule), str(draft.id)})),
        ("overlap", frozenset({str(draft.id), str(successor.id)})),
    }


def test_events_and_audit_tell_of_rules_by_their_ids(rules):
    rule = rules.rule({"department": "4410"}, "1")
    rules.retire(rules.read(rule))
    with rules.database.engine.connect() as connection:
        events = connection.exec_driver_sql("select type, domain, golden_id, data from event order by n").all()
        acts = connection.exec_driver_sql("select action, principal from audit where %s = any(subjects) order by n", (rule,)).all()
    assert [(e[0], e[1], e[2], e[3]) for e in events] == [
        ("mapping.approved", "mapping", rule, {"set": "posting"}),
        ("mapping.retired", "mapping", rule, {"set": "posting"}),
    ]
    assert [tuple(act) for act in acts] == [("mapping:draft", "ann"), ("mapping:approve", "bob"), ("mapping:retire", "bob")]


def test_of_two_approvals_at_once_that_clash_one_is_refused(rules):
    for number in range(10):
        drafts = [rules.draft({"department": str(number)}, account) for account in "12"]
        start = Barrier(2)

        def approve_one(draft, start=start):
            start.wait()
            try:
                return rules.approve(draft).approved
            except Conflict as refused:
                return refused.problems[0].code

        with ThreadPoolExecutor(2) as pool:
            done = list(pool.map(approve_one, drafts))
        assert done.count("overlap") == 1
        assert rules.one({"department": str(number)})["outcome"] == "found"
