"""Searching records. The question is posted and kept on the server for a day: no address, title or history of a browser holds a name."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from api.context import actor, concord, database, request_id, uuid_of
from api.errors import status_of
from mdm import policy, searches
from mdm.access import Verb
from mdm.errors import Invalid, NotFound
from mdm.golden import SearchHit
from mdm.reading import Reader, read_lines
from mdm.searches import Asked, Search
from mdm.values.kind import clean_text
from stewardship_ui.item import reader_of
from stewardship_ui.rendering import Page, show


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/records", "records", records, methods=["GET"])
    blueprint.add_url_rule("/records/search", "search_records", search_records, methods=["POST"])
    blueprint.add_url_rule("/records/search/<search_id>", "found_records", found_records, methods=["GET"])
    blueprint.add_url_rule("/records/search/<search_id>/next", "next_records", next_records, methods=["POST"])


def records() -> Page:
    policy.check(actor(), Verb.READ)
    return _page(asked=Asked(""))


def search_records() -> Response | Page:
    policy.check(actor(), Verb.SEARCH)
    asked = Asked(clean_text(request.form.get("text", "")), request.form.get("domain", ""))
    golden_id = _golden_id(asked.text)
    try:
        made = database().run(lambda session: _where(session, golden_id) or searches.search(session, _reader(), asked))
    except Invalid as error:
        return _page(asked=asked, status=status_of(error), problem=error.problems[0].message)
    to = made if isinstance(made, str) else url_for("ui.found_records", search_id=made)
    return redirect(to, HTTPStatus.SEE_OTHER)


def _golden_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _where(session: Session, golden_id: UUID | None) -> str | None:
    """The page of a golden record whose id was typed, if there is such a one for this person."""
    domain = None if golden_id is None else searches.domain_of(session, actor(), golden_id)
    return url_for("ui.golden", domain=domain, golden_id=golden_id) if domain else None


def found_records(search_id: str) -> Page:
    policy.check(actor(), Verb.READ)
    wanted = uuid_of(search_id)

    def work(session: Session) -> tuple[Search, list[Mapping[str, Any]]]:
        found = searches.get(session, actor(), wanted)
        return found, _rows(session, found)

    found, rows = database().run(work)
    return _page(asked=found.asked, found=found, rows=rows)


def next_records(search_id: str) -> Response:
    policy.check(actor(), Verb.SEARCH)
    wanted = uuid_of(search_id)

    def work(session: Session) -> UUID:
        before = searches.get(session, actor(), wanted)
        if before.next is None:
            raise NotFound
        return searches.search(session, _reader(), before.asked, before.next)

    return redirect(url_for("ui.found_records", search_id=database().run(work)), HTTPStatus.SEE_OTHER)


def _rows(session: Session, found: Search) -> list[Mapping[str, Any]]:
    """The hits in their order, as this person may see them now."""
    lines: dict[UUID, SearchHit] = {}
    for domain in {domain for domain, _ in found.hits} & policy.domains(actor(), Verb.READ):
        wanted = [golden for name, golden in found.hits if name == domain]
        lines |= read_lines(session, concord().entities[domain], reader_of(domain), wanted)
    around = searches.around(session, actor(), [line.id for line in lines.values()])
    return [
        {"entity": concord().entities[domain], "line": lines[golden], "around": around.get(lines[golden].id, searches.Around())}
        for domain, golden in found.hits
        if golden in lines
    ]


def _page(*, asked: Asked, found: Search | None = None, rows: Any = (), status: int = HTTPStatus.OK, problem: str = "") -> Page:
    recent = database().run(lambda session: searches.recent(session, actor()))
    domains = [(name, concord().entities[name].label) for name in sorted(policy.domains(actor(), Verb.SEARCH))]
    return show(
        "records",
        status,
        asked=asked,
        found=found,
        rows=rows,
        recent=recent,
        domains=[("", "All"), *domains],
        labels=dict(domains),
        problem=problem,
        text_max=searches.TEXT_MAX,
        section="ui.records",
    )


def _reader() -> Reader:
    return Reader(actor(), request_id())
