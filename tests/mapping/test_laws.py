"""Laws over random rules, inputs and days: the indexed choice is the plain one, and no later act changes what was answered."""

from bisect import bisect_right
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mdm.errors import Conflict
from mdm.mapping import list_rules
from mdm.mapping_choice import Index, Moment, Rule, Split, answer, overlap, turns
from tests.conftest import empty
from tests.mapping.conftest import PLAIN, Set

NAMES = ("department", "payer_class", "kind")
BEGIN = date(2026, 1, 1)
SLOW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

days = st.integers(0, 6).map(lambda n: BEGIN + timedelta(days=n))
inputs = st.dictionaries(st.sampled_from(NAMES), st.sampled_from("ab"), max_size=3)
periods = st.tuples(st.none() | days, st.none() | days).filter(lambda p: None in p or p[0] <= p[1])
accounts = st.sampled_from("123")
moments = st.integers(0, 4).map(lambda n: datetime(2026, 1, 1 + n, tzinfo=UTC))
tie_breaks = st.lists(st.sampled_from(NAMES), unique=True)


@st.composite
def random_rules(draw):
    made = []
    for number in range(draw(st.integers(0, 12))):
        begin, end = draw(periods)
        status = draw(st.sampled_from(("draft", "approved", "approved", "retired")))
        since = draw(moments)
        spans = {"draft": (), "approved": ((since, None),), "retired": ((since, since + timedelta(days=1)),)}[status]
        splits = (Split("100", {"account": draw(accounts)}),)
        made.append(Rule(f"{number:02}", draw(inputs), splits, status, begin, end, spans))
    return made


def plain_choice(rules, tie_break, asked, moment):
    """The requirement, read aloud: (id of the rule or None, whether it is tied)."""

    def was_in_force(rule):
        known = rule.status == "approved" if moment.known_at is None else False
        for begin, end in rule.spans if moment.known_at is not None else ():
            known = known or (begin <= moment.known_at and (end is None or moment.known_at < end))
        return known and (rule.valid_from or date.min) <= moment.as_of <= (rule.valid_to or date.max)

    fit = [rule for rule in rules if was_in_force(rule) and all(asked.get(name) == value for name, value in rule.conditions.items())]
    if not fit:
        return None, False
    most = max(len(rule.conditions) for rule in fit)
    fit = [rule for rule in fit if len(rule.conditions) == most]
    for name in tie_break:
        fit = [rule for rule in fit if name in rule.conditions] or fit
    if len({rule.splits[0].values["account"] for rule in fit}) > 1:
        return None, True
    return min(rule.id for rule in fit), False


@settings(max_examples=500, deadline=None)
@given(random_rules(), tie_breaks, inputs, days, st.none() | moments)
def test_the_answer_is_that_of_the_plain_reference(rules, tie_break, asked, day, known_at):
    moment = Moment(day, known_at)
    choice = answer(Index(rules), tie_break, asked, moment)
    assert (choice.rule.id if choice.rule else None, bool(choice.tied)) == plain_choice(rules, tie_break, asked, moment)


@settings(max_examples=200, deadline=None)
@given(random_rules(), tie_breaks, inputs, days, st.randoms())
def test_the_order_of_rules_does_not_matter(rules, tie_break, asked, day, chance):
    shuffled = chance.sample(rules, len(rules))
    one, other = (answer(Index(each), tie_break, asked, Moment(day)) for each in (rules, shuffled))
    assert one == other


@settings(max_examples=200, deadline=None)
@given(random_rules(), tie_breaks, inputs)
def test_between_two_turns_the_day_makes_no_difference(rules, tie_break, asked):
    index, turning = Index(rules), turns(rules)
    told = {}
    for day in (BEGIN + timedelta(days=n) for n in range(-1, 9)):
        choice = answer(index, tie_break, asked, Moment(day))
        assert told.setdefault(bisect_right(turning, day), choice) == choice


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("rule"), inputs, accounts, periods),
        st.tuples(st.just("replace"), st.integers(0, 9), accounts, periods),
        st.tuples(st.just("retire"), st.integers(0, 9)),
        st.tuples(st.just("tie_break"), tie_breaks),
        st.tuples(st.just("release")),
        st.tuples(st.just("rollback"), st.integers(0, 9)),
    ),
    min_size=3,
    max_size=10,
)
QUESTIONS = [
    {name: value for name, value in zip(NAMES, (a, b, c), strict=True) if value}
    for a in ("", "a")
    for b in ("", "a", "b")
    for c in ("", "a")
]


def in_force(rules):
    return rules.run(lambda s: list_rules(s, rules.code, status="approved", limit=100, cursor=None)).items


def act(rules, what, *given):
    """One act of a steward; one that the state forbids changes nothing."""
    present = in_force(rules)
    try:
        match what:
            case "rule":
                conditions, account, (begin, end) = given
                rules.rule(conditions, account, valid_from=begin, valid_to=end)
            case "replace" if present:
                place, account, (begin, end) = given
                old = present[place % len(present)]
                rules.rule(old.conditions, account, valid_from=begin, valid_to=end, replaces=old.id)
            case "retire" if present:
                rules.retire(present[given[0] % len(present)])
            case "tie_break":
                rules.define(replace(PLAIN, tie_break=tuple(given[0])))
    except Conflict:
        pass


def said(rules, known_at=None):
    return [
        [(a["outcome"], a["outputs"], a["rule"]) for a in rules.ask(*QUESTIONS, as_of=BEGIN + timedelta(days=n), known_at=known_at)]
        for n in (0, 3, 6)
    ]


@SLOW
@given(acts=ACTS)
def test_what_was_answered_can_always_be_answered_again(clean_database, acts):
    empty(clean_database)
    rules = Set(clean_database, "posting")
    rules.define(PLAIN)
    rules.releases = []
    seen, of_release = [], {}
    for what, *rest in acts:
        number = act_and_count(rules, what, *rest)
        answers = said(rules)
        seen.append((rules.now(), answers))
        if number is not None:
            of_release.setdefault(number, answers)
            assert of_release[number] == answers
        approved = in_force(rules)
        assert not any(
            one.conditions == other.conditions and overlap(as_rule(one), as_rule(other)) is not None
            for place, one in enumerate(approved)
            for other in approved[place + 1 :]
        )
    for moment, answers in seen:
        assert said(rules, moment) == answers


def act_and_count(rules, what, *rest):
    """The number of the release whose answers must hold after this act, None for other acts."""
    if what == "rollback" and rules.releases:
        number = rules.releases[rest[0] % len(rules.releases)]
        rules.roll_back(number)
        return number
    if what == "release":
        rules.releases.append(rules.release())
        return rules.releases[-1]
    act(rules, what, *rest)
    return None


def as_rule(view):
    return Rule(str(view.id), view.conditions, view.splits, view.status, view.valid_from, view.valid_to)
