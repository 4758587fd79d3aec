"""Rules of mapping sets, from draft to retirement."""

from collections.abc import Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

from sqlalchemy.orm import Session

from api.auth import Access
from api.context import actor, database, request_id, uuid_of
from api.crosswalk import today
from api.mapping_schemas import (
    ApprovalSchema,
    ApprovedSchema,
    ReasonQuery,
    RuleListSchema,
    RuleQuery,
    RuleSchema,
    RulesSchema,
    RuleViewSchema,
)
from api.preconditions import etag, if_match, if_match_parameter
from api.routing import Answer, Operation, add
from mdm.access import Verb
from mdm.mapping import NewRule, RulePage, RuleView, edit_draft, get_rule, list_rules, write_drafts
from mdm.mapping_approval import approve, retire
from mdm.mapping_sets import By, SetView, check_open, get_set


def add_routes(made: Any, at: str) -> None:
    """Put the routes below a set's address."""
    rule = at + "/rules/<rule_id>"
    read, draft = Access(Verb.READ), Access(Verb.DECIDE)
    changing = partial(
        Operation,
        access=draft,
        answer=RuleViewSchema,
        refusals=(409, 412, 428),
        docs={"parameters": [if_match_parameter("the rule")]},
        once=True,
    )
    listing = Operation(name="list_mapping_rules", summary="The rules of a set", access=read, query=RuleQuery, answer=RuleListSchema)
    post = Operation(
        name="write_mapping_rules",
        summary="Write drafts: all of them or none",
        access=draft,
        body=RulesSchema,
        answer=RuleListSchema,
        status=HTTPStatus.CREATED,
        once=True,
    )
    one = Operation(name="get_mapping_rule", summary="A rule, with its version as ETag", access=read, answer=RuleViewSchema)
    put = changing(name="edit_mapping_rule", summary="Change a draft of your own", body=RuleSchema)
    delete = changing(name="retire_mapping_rule", summary="Retire an approved rule, or withdraw a draft", query=ReasonQuery)
    approval = Operation(
        name="approve_mapping_rules",
        summary="Approve drafts of others: all of them or none",
        access=Access(Verb.APPROVE),
        body=ApprovalSchema,
        answer=ApprovedSchema,
        refusals=(409, 412, 428),
        docs={"parameters": [if_match_parameter("the set, to approve all its drafts", required=False)]},
        once=True,
    )
    add(made, "GET", at + "/rules", get_rules, listing)
    add(made, "POST", at + "/rules", post_rules, post)
    add(made, "GET", rule, get_one_rule, one)
    add(made, "PUT", rule, put_rule, put)
    add(made, "DELETE", rule, delete_rule, delete)
    add(made, "POST", at + "/approvals", post_approval, approval)


def by_whom() -> By:
    """The caller, as services want to know them."""
    return By(actor(), request_id(), today())


def readable(session: Session, code: str) -> SetView:
    """The set, if the caller may read it."""
    view = get_set(session, code)
    check_open(actor(), Verb.READ, view.definition)
    return view


def get_rules(query: Mapping[str, Any], *, set_code: str) -> Answer:
    def work(session: Session) -> Answer:
        readable(session, set_code)
        return list_rules(session, set_code, status=query.get("status"), limit=query["limit"], cursor=query.get("cursor"))

    return database().run(work)


def post_rules(body: Mapping[str, Any], *, set_code: str) -> Answer:
    rules, by = [_new_rule(each) for each in body["rules"]], by_whom()
    made = database().run(lambda session: write_drafts(session, by, set_code, rules))
    return RulePage(tuple(made), None), HTTPStatus.CREATED


def _new_rule(body: Mapping[str, Any]) -> NewRule:
    splits: Sequence[Mapping[str, Any]] = body.get("splits") or [{"share": "100", "outputs": body["outputs"]}]
    return NewRule(
        body["conditions"],
        [(split["share"], split["outputs"]) for split in splits],
        body["valid_from"],
        body["valid_to"],
        body["replaces"],
        body["note"],
    )


def get_one_rule(*, set_code: str, rule_id: str) -> Answer:
    def work(session: Session) -> RuleView:
        readable(session, set_code)
        return get_rule(session, set_code, uuid_of(rule_id))

    return _rule_answer(database().run(work))


def put_rule(body: Mapping[str, Any], *, set_code: str, rule_id: str) -> Answer:
    wanted, rule, by, read = uuid_of(rule_id), _new_rule(body), by_whom(), if_match()
    return _rule_answer(database().run(lambda session: edit_draft(session, by, set_code, wanted, rule, if_match=read)))


def delete_rule(query: Mapping[str, Any], *, set_code: str, rule_id: str) -> Answer:
    wanted, by, read, reason = uuid_of(rule_id), by_whom(), if_match(), query["reason"]
    return _rule_answer(database().run(lambda session: retire(session, by, set_code, wanted, if_match=read, reason=reason)))


def _rule_answer(view: RuleView) -> Answer:
    return view, HTTPStatus.OK, etag(view.version)


def post_approval(body: Mapping[str, Any], *, set_code: str) -> Answer:
    by = by_whom()
    wanted = [(each["id"], each["version"]) for each in body["rules"]] if "rules" in body else None
    read = if_match() if wanted is None else None
    return database().run(lambda session: approve(session, by, set_code, wanted, if_match=read))
