"""Releases of mapping sets: made, listed, compared, brought back."""

from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

from sqlalchemy.orm import Session

from api.auth import Access
from api.context import database
from api.mapping_rules import by_whom, readable
from api.mapping_schemas import CompareQuery, ComparisonSchema, ReleaseNoteSchema, ReleaseSchema, ReleasesSchema
from api.preconditions import if_match, if_match_parameter
from api.routing import Answer, Operation, add
from mdm.access import Verb
from mdm.errors import NotFound
from mdm.mapping_releases import compare, get_release, list_releases, release, roll_back


def add_routes(made: Any, at: str) -> None:
    """Put the routes below a set's address."""
    read = Access(Verb.READ)
    making = partial(
        Operation,
        access=Access(Verb.APPROVE),
        body=ReleaseNoteSchema,
        answer=ReleaseSchema,
        status=HTTPStatus.CREATED,
        refusals=(412, 428),
        docs={"parameters": [if_match_parameter("the set")]},
        once=True,
    )
    listing = Operation(name="list_mapping_releases", summary="The releases of a set", access=read, answer=ReleasesSchema)
    post = making(name="release_mapping", summary="Freeze the approved rules under the next number")
    between = Operation(
        name="compare_mapping_releases",
        summary="What is other in a later release",
        access=read,
        query=CompareQuery,
        answer=ComparisonSchema,
    )
    one = Operation(name="get_mapping_release", summary="A release", access=read, answer=ReleaseSchema)
    back = making(name="roll_back_mapping", summary="Answer as a former release did, as a new release")
    add(made, "GET", at + "/releases", get_releases, listing)
    add(made, "POST", at + "/releases", post_release, post)
    add(made, "GET", at + "/releases/compare", get_comparison, between)
    add(made, "GET", at + "/releases/<number>", get_one_release, one)
    add(made, "POST", at + "/releases/<number>/rollback", post_rollback, back)


def get_releases(*, set_code: str) -> Answer:
    def work(session: Session) -> Answer:
        readable(session, set_code)
        return {"items": list_releases(session, set_code)}

    return database().run(work)


def get_one_release(*, set_code: str, number: str) -> Answer:
    def work(session: Session) -> Answer:
        readable(session, set_code)
        return get_release(session, set_code, _number(number))

    return database().run(work)


def post_release(body: Mapping[str, Any], *, set_code: str) -> Answer:
    by, read, note = by_whom(), if_match(), body["note"]
    return database().run(lambda session: release(session, by, set_code, if_match=read, note=note)), HTTPStatus.CREATED


def post_rollback(body: Mapping[str, Any], *, set_code: str, number: str) -> Answer:
    by, read, note, wanted = by_whom(), if_match(), body["note"], _number(number)
    return database().run(lambda session: roll_back(session, by, set_code, wanted, if_match=read, note=note)), HTTPStatus.CREATED


def _number(text: str) -> int:
    """A release's number from a path: what cannot be one is simply not there."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise NotFound
    return int(text)


def get_comparison(query: Mapping[str, Any], *, set_code: str) -> Answer:
    def work(session: Session) -> Answer:
        readable(session, set_code)
        return compare(session, set_code, query["before"], query["after"])

    return database().run(work)
