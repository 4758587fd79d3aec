"""What a set answers, by which rule, and why by no other."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from mdm.errors import Invalid, NotFound
from mdm.mapping import NewRule, write_drafts
from mdm.mapping_answers import Ask, resolve
from tests.mapping.conftest import ANN, PLAIN, TODAY


def reasons(answer):
    return {other["rule"]: other["reason"] for other in answer["others"]}


def test_the_most_specific_rule_answers_and_says_why_the_others_do_not(rules):
    general, specific = (
        rules.rule({"department": "4410"}, "401100"),
        rules.rule({"department": "4410", "payer_class": "medicare"}, "401200"),
    )
    answer = rules.one({"department": "4410", "payer_class": "medicare"})
    assert (answer["outcome"], answer["outputs"], answer["rule"]["id"]) == ("found", {"account": "401200"}, str(specific))
    assert reasons(answer) == {str(general): "less_specific"}


def test_an_input_that_no_rule_names_may_be_anything(rules):
    rule = rules.rule({"department": "4410"}, "401100")
    assert rules.one({"department": "4410", "kind": "technical"})["rule"]["id"] == str(rule)


def test_no_rule_says_what_came_near(rules):
    rule = rules.rule({"department": "4410", "payer_class": "medicare"}, "401200")
    other, missing = rules.ask({"department": "4410", "payer_class": "medicaid"}, {"department": "4410"})
    assert (other["outcome"], other["others"]) == ("no_rule", [{"rule": str(rule), "reason": "condition_differs", "input": "payer_class"}])
    assert missing["others"] == [{"rule": str(rule), "reason": "input_missing", "input": "payer_class"}]


def test_a_found_answer_names_the_more_specific_rules_that_came_near(rules):
    rules.rule({"department": "4410"}, "1")
    specific = rules.rule({"department": "4410", "payer_class": "medicare"}, "2")
    rules.rule({"department": "4420"}, "3")
    answer = rules.one({"department": "4410", "payer_class": "medicaid"})
    assert answer["others"] == [{"rule": str(specific), "reason": "condition_differs", "input": "payer_class"}]


def test_dates_are_inclusive(rules):
    rules.rule({"department": "4410"}, "1", valid_from=date(2026, 1, 1), valid_to=date(2026, 6, 30))
    days = [date(2025, 12, 31), date(2026, 1, 1), date(2026, 6, 30), date(2026, 7, 1)]
    found = [rules.one({"department": "4410"}, as_of=day) for day in days]
    assert [answer["outcome"] for answer in found] == ["no_rule", "found", "found", "no_rule"]
    assert [answer["others"][0]["reason"] for answer in (found[0], found[3])] == ["not_yet_valid", "expired"]


def test_drafts_and_retired_rules_do_not_answer_and_are_named(rules):
    draft, rule = rules.draft({"department": "4410"}, "1"), rules.draft({"department": "4410"}, "2")
    rules.approve(rule)
    rules.retire(rules.read(rule.id))
    assert reasons(rules.one({"department": "4410"})) == {str(draft.id): "draft", str(rule.id): "retired"}


def test_a_tie_break_decides_between_equals(rules):
    rules.define(replace(PLAIN, tie_break=("payer_class", "department")))
    by_department, by_payer = rules.rule({"department": "4410"}, "1"), rules.rule({"payer_class": "medicare"}, "2")
    answer = rules.one({"department": "4410", "payer_class": "medicare"})
    assert (answer["rule"]["id"], reasons(answer)) == (str(by_payer), {str(by_department): "tie_break"})


def test_equals_that_say_the_same_answer(rules):
    rules.rule({"department": "4410"}, "1")
    rules.rule({"payer_class": "medicare"}, "1")
    answer = rules.one({"department": "4410", "payer_class": "medicare"})
    assert (answer["outcome"], answer["others"][0]["reason"]) == ("found", "same_answer")


def test_a_tie_that_came_with_a_change_of_the_set_is_ambiguous(rules):
    rules.define(replace(PLAIN, tie_break=("department",)))
    rules.rule({"department": "4410"}, "1")
    rules.rule({"payer_class": "medicare"}, "2")
    rules.define(PLAIN)
    answer = rules.one({"department": "4410", "payer_class": "medicare"})
    assert (answer["outcome"], answer["outputs"], answer["rule"]) == ("ambiguous", None, None)
    assert [other["reason"] for other in answer["others"]] == ["tied", "tied"]


def test_a_split_answers_with_rows_and_never_with_one_of_them(rules):
    rules.rule({"department": "4410"}, splits=[("33.3333", {"account": "1"}), ("66.6667", {"account": "2"})])
    answer = rules.one({"department": "4410"})
    assert answer["outputs"] is None
    assert answer["splits"] == [{"share": "33.3333", "outputs": {"account": "1"}}, {"share": "66.6667", "outputs": {"account": "2"}}]


@pytest.mark.parametrize(
    "shares", [("50", "49.9999"), ("50", "50.0001"), ("100", "0"), ("-1", "101"), ("50", "NaN"), ("x", "1"), ("33.33333", "66.66667")]
)
def test_shares_that_are_not_the_whole_are_refused(rules, shares):
    with pytest.raises(Invalid):
        rules.draft({"department": "4410"}, splits=[(share, {"account": str(n)}) for n, share in enumerate(shares)])


def test_an_unknown_input_is_an_answer_and_stops_no_other(rules):
    rules.rule({"department": "4410"}, "1")
    wrong, right = rules.ask({"departmnt": "4410"}, {"department": "4410"})
    assert (wrong["outcome"], wrong["problems"][0]["code"]) == ("invalid_input", "unknown_input")
    assert right["outcome"] == "found"


def test_a_required_input_must_be_there(rules):
    rules.define(replace(PLAIN, inputs=(replace(PLAIN.inputs[0], required=True), *PLAIN.inputs[1:])))
    assert rules.one({"department": " "})["problems"][0]["code"] == "required"


def test_a_department_that_moved_answers_by_service_date_and_as_it_was_known(rules):
    old = rules.rule({"department": "4410"}, "old")
    before = rules.now()
    rules.rule({"department": "4410"}, "new", valid_from=date(2026, 7, 1), replaces=old)
    after = rules.now()
    assert rules.one({"department": "4410"}, as_of=date(2026, 6, 30))["outputs"] == {"account": "old"}
    assert rules.one({"department": "4410"}, as_of=date(2026, 7, 1))["outputs"] == {"account": "new"}
    assert rules.one({"department": "4410"}, as_of=date(2026, 7, 1), known_at=before)["outputs"] == {"account": "old"}
    assert rules.one({"department": "4410"}, as_of=date(2026, 7, 1), known_at=after)["outputs"] == {"account": "new"}


def test_what_was_not_yet_approved_then_says_so(rules):
    before = rules.now()
    rules.rule({"department": "4410"}, "1")
    answer = rules.one({"department": "4410"}, known_at=before)
    assert (answer["outcome"], answer["others"][0]["reason"]) == ("no_rule", "not_yet_approved")


def test_a_moment_without_offset_is_refused(rules):
    with pytest.raises(Invalid):
        rules.one({}, known_at=rules.now().replace(tzinfo=None))


def test_a_set_that_is_not_there(rules):
    rules.code = "nothing"
    with pytest.raises(NotFound):
        rules.one({})


def test_leading_zeros_are_data(rules):
    rules.rule({"department": "0441"}, "1")
    assert rules.one({"department": "441"})["outcome"] == "no_rule"


def test_what_is_not_committed_is_remembered_by_nobody(rules):
    rules.rule({"department": "4410"}, "1")
    rules.one({"department": "4410"})

    class Back(Exception):
        pass

    def work(session):
        write_drafts(session, rules.by(ANN), "posting", [NewRule({"department": "9"}, [("100", {"account": "1"})])])
        assert resolve(session, ANN, "posting", [Ask({"department": "9"}, TODAY)]).answers[0]["others"][0]["reason"] == "draft"
        raise Back

    with pytest.raises(Back):
        rules.run(work)
    rules.draft({"department": "8"}, "1")
    assert rules.one({"department": "9"})["others"] == []


def test_a_thousand_answers_stand_in_order(rules):
    for number in range(3):
        rules.rule({"department": str(number)}, str(number))
    answers = rules.ask(*({"department": str(number % 3)} for number in range(1000)))
    assert [answer["outputs"]["account"] for answer in answers] == [str(number % 3) for number in range(1000)]


def test_a_later_day_than_any_is_no_trouble(rules):
    rules.rule({"department": "1"}, "1", valid_to=date.max)
    assert rules.one({"department": "1"}, as_of=date.max - timedelta(days=1))["outcome"] == "found"


def test_what_is_remembered_ends_with_the_rule(rules):
    rule = rules.rule({"department": "4410"}, "1", valid_to=TODAY)
    tomorrow = TODAY + timedelta(days=1)
    for _ in range(2):
        assert [rules.one({"department": "4410"}, as_of=day)["outcome"] for day in (TODAY, tomorrow)] == ["found", "no_rule"]
    rules.retire(rules.read(rule))
    assert rules.one({"department": "4410"})["outcome"] == "no_rule"
    rules.rule({"department": "4410"}, "2")
    assert rules.one({"department": "4410"})["outputs"] == {"account": "2"}
