"""A mapping set: its rules from draft to retirement, a row to try it, conflicts, coverage, releases. Nobody approves their own."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from api.context import actor, concord, database, request_id, uuid_of
from api.crosswalk import today
from api.errors import status_of
from api.mapping_rules import by_whom, readable
from mdm import policy
from mdm.access import Verb
from mdm.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from mdm.mapping import Given, NewRule, RulePage, list_rules, write_drafts
from mdm.mapping_answers import Ask, resolve
from mdm.mapping_approval import approve, retire
from mdm.mapping_releases import compare, list_releases, release, roll_back
from mdm.mapping_reports import conflicts, coverage
from mdm.mapping_sets import Definition, SetView
from mdm.reading import Reader, read_lines
from mdm.systems import registry
from mdm.values.kind import clean_text
from stewardship_ui.record_acts import day, reason, version
from stewardship_ui.rendering import Page, show

TABS = {"rules": "Rules", "conflicts": "Conflicts", "coverage": "Coverage", "releases": "Releases"}
ROWS = 100
SPLIT_ROWS = 4
STATUSES = ("", "approved", "draft", "retired")
OUTCOMES = {
    "found": "Answered",
    "no_rule": "No rule fits",
    "ambiguous": "Rules contradict each other: nobody answers",
    "invalid_input": "Not understood",
}
WHY = {
    "less_specific": "another names more",
    "tie_break": "another names an earlier input",
    "same_answer": "says the same",
    "tied": "contradicts one of equal right",
    "not_yet_valid": "not yet in force",
    "expired": "no longer in force",
    "draft": "a draft",
    "retired": "retired",
    "not_yet_approved": "was not approved then",
    "condition_differs": "asks for another value",
    "input_missing": "asks for an input that is not given",
}
CONFLICTS = {
    "overlap": "The same conditions at the same time",
    "tie": "Equal right, another answer",
    "input_merged": "Names a record that was merged",
    "input_retired": "Names a record that was retired",
    "target_merged": "Answers with a record that was merged",
    "target_retired": "Answers with a record that was retired",
    "target_unknown": "Answers with a key that is gone",
    "target_inactive": "Answers with a key no longer in use",
}


@dataclass(frozen=True, slots=True)
class Tried:
    """What the set answered to a row of the page."""

    outcome: str
    answer: Mapping[str, Any]
    problems: Sequence[str]


def add_routes(blueprint: Blueprint) -> None:
    at = "/mappings/sets/<code>"
    blueprint.add_url_rule(at, "mapping_set", mapping_set, methods=["GET"])
    blueprint.add_url_rule(f"{at}/<tab>", "mapping_set", mapping_set, methods=["GET"])
    for rule, name, view in (
        ("/try", "try_set", try_set),
        ("/drafts", "write_rule", write_rule),
        ("/approvals", "approve_rules", approve_rules),
        ("/rules/<rule_id>/retire", "retire_rule", retire_rule),
        ("/releases", "make_release", make_release),
        ("/releases/<int:number>/rollback", "bring_back", bring_back),
    ):
        blueprint.add_url_rule(at + rule, name, view, methods=["POST"])


def mapping_set(code: str, tab: str = "rules") -> Page:
    policy.check(actor(), Verb.READ)
    if tab not in TABS:
        raise NotFound
    return _page(code, tab)


def try_set(code: str) -> Page:
    """Ask the set; the question is not counted as traffic."""
    policy.check(actor(), Verb.LOOKUP)

    def work(session: Session) -> Tried:
        definition = readable(session, code).definition
        ask = Ask(_inputs(definition), day("as_of") or today())
        answer = resolve(session, actor(), code, [ask], None).answers[0]
        told = [f"{problem['pointer'].rpartition('/')[2]}: {problem['message']}" for problem in answer["problems"]]
        return Tried(answer["outcome"], answer, told)

    return _page(code, "rules", tried=database().run(work))


def write_rule(code: str) -> Response | Page:
    def work(session: Session) -> object:
        definition = readable(session, code).definition
        replaces = request.form.get("replaces", "").strip()
        rule = NewRule(
            _inputs(definition),
            _splits(definition),
            day("valid_from"),
            day("valid_to"),
            uuid_of(replaces) if replaces else None,
            reason("note"),
        )
        return write_drafts(session, by_whom(), code, [rule])

    return _done(code, "rules", work, status="draft")


def _inputs(definition: Definition) -> dict[str, Given]:
    """The inputs of a form: a plain text, a golden id, or a system's key. An empty field may be anything."""
    found: dict[str, Given] = {}
    for each in definition.inputs:
        value, system = clean_text(request.form.get(f"in-{each.name}", "")), request.form.get(f"system-{each.name}", "")
        if value:
            found[each.name] = {"system": system, "value": value} if each.domain is not None and system else value
    return found


def _splits(definition: Definition) -> list[tuple[str, Mapping[str, str]]]:
    """The rows of the answer that hold anything; one row alone is the whole."""
    rows = []
    for row in range(SPLIT_ROWS):
        values = {each.name: clean_text(request.form.get(f"out-{row}-{each.name}", "")) for each in definition.outputs}
        if any(values.values()):
            rows.append((clean_text(request.form.get(f"share-{row}", "")), values))
    return [(share or ("100" if len(rows) == 1 else ""), values) for share, values in rows]


def approve_rules(code: str) -> Response | Page:
    policy.check(actor(), Verb.APPROVE)
    wanted = [_versioned(text) for text in request.form.getlist("rule")]
    if not wanted:
        return _page(code, "rules", problems=["Choose the drafts to be approved."], status=HTTPStatus.UNPROCESSABLE_ENTITY)
    return _done(code, "rules", lambda session: approve(session, by_whom(), code, wanted, if_match=None), status="approved")


def _versioned(text: str) -> tuple[UUID, int]:
    rule_id, _, seen = text.partition(" ")
    if not (seen.isascii() and seen.isdigit() and len(seen) < 10):
        raise Stale
    return uuid_of(rule_id), int(seen)


def retire_rule(code: str, rule_id: str) -> Response | Page:
    wanted, read, why = uuid_of(rule_id), version(), reason(f"why-{rule_id}")
    return _done(code, "rules", lambda session: retire(session, by_whom(), code, wanted, if_match=read, reason=why))


def make_release(code: str) -> Response | Page:
    policy.check(actor(), Verb.APPROVE)
    read, note = version(), reason("note")
    return _done(code, "releases", lambda session: release(session, by_whom(), code, if_match=read, note=note))


def bring_back(code: str, number: int) -> Response | Page:
    policy.check(actor(), Verb.APPROVE)
    read, note = version(), reason(f"note-{number}")
    return _done(code, "releases", lambda session: roll_back(session, by_whom(), code, number, if_match=read, note=note))


def _done(code: str, tab: str, work: Callable[[Session], object], status: str | None = None) -> Response | Page:
    """Do it and show the tab; refused, the tab says why, with what was typed."""

    def act(session: Session) -> None:
        readable(session, code)
        work(session)

    try:
        database().run(act)
    except (Conflict, Invalid, Forbidden) as error:
        if isinstance(error, Forbidden) and not error.problems and error.message == (Forbidden.__doc__ or "").splitlines()[0]:
            raise
        told = [problem.message for problem in error.problems] or [error.message]
        return _page(code, tab, problems=[error.message, *told] if error.problems else told, status=status_of(error))
    return redirect(url_for("ui.mapping_set", code=code, tab=None if tab == "rules" else tab, status=status), HTTPStatus.SEE_OTHER)


def _page(code: str, tab: str, *, problems: Sequence[str] = (), tried: Tried | None = None, status: int = HTTPStatus.OK) -> Page:
    def work(session: Session) -> dict[str, Any]:
        view = readable(session, code)
        return {"view": view, **_BODIES[tab](session, view), "names": {}}

    held = database().run(work)
    view: SetView = held["view"]
    held["names"] = database().run(lambda session: _names(session, view.definition, held, tried))
    definition = view.definition
    can = {verb: all(policy.can(actor(), verb, each) for each in definition.domains) for verb in (Verb.DECIDE, Verb.APPROVE)}
    return show(
        "mapping_set",
        status,
        tab=tab,
        tabs=[(each, title, url_for("ui.mapping_set", code=code, tab=None if each == "rules" else each)) for each, title in TABS.items()],
        definition=definition,
        may_decide=can[Verb.DECIDE] and policy.can(actor(), Verb.DECIDE),
        may_approve=can[Verb.APPROVE] and policy.can(actor(), Verb.APPROVE) and definition.approver in ("", actor().name),
        problems=problems,
        tried=tried,
        outcomes=OUTCOMES,
        why=WHY,
        conflict_words=CONFLICTS,
        statuses=STATUSES,
        split_rows=SPLIT_ROWS,
        typed=request.form,
        section="ui.mappings",
        **held,
    )


def _names(session: Session, definition: Definition, held: Mapping[str, Any], tried: Tried | None) -> dict[str, str]:
    """What golden ids on the page are called: of the conditions and answers of rules, and of what is asked for."""
    outputs = {each.name: each.domain for each in definition.outputs if each.domain is not None and each.system is None}
    domains = {**definition.golden_inputs, **outputs}
    said = [*_said(held), *([tried.answer["rule"]["conditions"]] if tried and tried.answer["rule"] else [])]
    found: dict[str, str] = {}
    for domain in set(domains.values()):
        wanted = {values[name] for values in said for name, each in domains.items() if each == domain and values.get(name)}
        ids = [UUID(text) for text in wanted if _is_id(text)]
        lines = read_lines(session, concord().entities[domain], Reader(actor(), request_id()), ids)
        found |= {str(asked): hit.display for asked, hit in lines.items()}
    return found


def _said(held: Mapping[str, Any]) -> Iterable[Mapping[str, str]]:
    page, reach = held.get("rules"), held.get("coverage")
    for rule in page.items if page is not None else ():
        yield rule.conditions
        yield from (split.values for split in rule.splits)
    if reach is not None:
        yield from (each.inputs for each in reach.asked.open)
        yield from ({each.input: str(golden)} for each in reach.inputs for golden in each.open)
    for finding in held["conflicts"].items if "conflicts" in held else ():
        yield {finding.name or "": finding.value or ""}


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _rules(session: Session, view: SetView) -> dict[str, Any]:
    wanted = request.args.get("status", "")
    if wanted not in STATUSES:
        raise Invalid("Rules are approved, drafts or retired.")
    page: RulePage = list_rules(session, view.code, status=wanted or None, limit=ROWS, cursor=request.args.get("cursor"))
    systems = [code for code in sorted(registry(session).ids) if registry(session).is_source(code) and policy.in_scope(actor(), code)]
    return {"rules": page, "only": wanted, "systems": systems, "today": today()}


def _conflicts(session: Session, view: SetView) -> dict[str, Any]:
    return {"conflicts": conflicts(session, actor(), view.code, today())}


def _coverage(session: Session, view: SetView) -> dict[str, Any]:
    try:
        on = date.fromisoformat(request.args["as_of"]) if request.args.get("as_of") else today()
    except ValueError:
        raise Invalid("A day is written 2026-03-31.") from None
    return {"coverage": coverage(session, actor(), view.code, on)}


def _releases(session: Session, view: SetView) -> dict[str, Any]:
    chosen = [int(text) for name in ("before", "after") if (text := request.args.get(name, "")).isdecimal() and len(text) < 10]
    both = len(chosen) > 1
    return {
        "releases": list_releases(session, view.code),
        "comparison": compare(session, view.code, chosen[0], chosen[1]) if both else None,
        "chosen": chosen if both else [],
    }


_BODIES: Mapping[str, Callable[[Session, SetView], dict[str, Any]]] = {
    "rules": _rules,
    "conflicts": _conflicts,
    "coverage": _coverage,
    "releases": _releases,
}
