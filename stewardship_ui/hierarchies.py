"""Hierarchies: a tree as of a day, opened as far as fits; what differs between two days or two trees; moving, with its preview."""

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
from mdm import policy, treeview
from mdm.access import Verb
from mdm.errors import Conflict, Invalid, NotFound
from mdm.golden import SearchHit
from mdm.reading import Reader, read_lines
from mdm.relate import Author
from mdm.trees import When, list_trees
from mdm.values.kind import clean_text
from stewardship_ui.finder import find
from stewardship_ui.record_acts import day, reason, remedy
from stewardship_ui.rendering import Page, show


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/hierarchies", "hierarchies", hierarchies, methods=["GET"])
    blueprint.add_url_rule("/hierarchies/<tree>", "hierarchy", hierarchy, methods=["GET"])
    blueprint.add_url_rule("/hierarchies/<tree>/diff", "choose_diff", choose_diff, methods=["GET"])
    blueprint.add_url_rule("/hierarchies/<tree>/diff/<other>", "diff_hierarchy", diff_hierarchy, methods=["GET"])
    blueprint.add_url_rule("/hierarchies/<tree>/move/<golden_id>", "move_node", move_node, methods=["GET"])
    blueprint.add_url_rule("/hierarchies/<tree>/move/<golden_id>", "move_step", move_step, methods=["POST"])


def hierarchies() -> Page:
    policy.check(actor(), Verb.READ)
    on = asked_day("as_of")
    found = database().run(lambda session: list_trees(session, reader(), When(on)))
    return show("hierarchies", trees=found, as_of=on, entities=concord().entities)


def hierarchy(tree: str) -> Page:
    policy.check(actor(), Verb.READ)
    on, at, node = asked_day("as_of"), _asked_id("at"), _asked_id("node")

    def work(session: Session) -> dict[str, Any]:
        found = treeview.opened(session, reader(), tree, on, at)
        chosen = node or (found.rows[0].golden_id if found.rows else None)
        row = next((each for each in found.rows if each.golden_id == chosen), None)
        others = [each for each in list_trees(session, reader(), When(on)) if each.domain == found.entity.name]
        return {"opened": found, "row": row, "others": others}

    held = database().run(work)
    entity = held["opened"].entity
    about = {"tree": tree, "as_of": on, "is_today": on == today(), "at": at, "entity": entity, "may_decide": _may(entity.name)}
    return show("hierarchy", section=_SECTION, **about, **held)


_SECTION = "ui.hierarchies"


def choose_diff(tree: str) -> Response:
    """The form's choice as an address of its own."""
    other = request.args.get("other", "") or tree
    to = url_for("ui.diff_hierarchy", tree=tree, other=other, as_of=asked_day("as_of"), to=asked_day("to"))
    return redirect(to, HTTPStatus.SEE_OTHER)


def diff_hierarchy(tree: str, other: str) -> Page:
    policy.check(actor(), Verb.READ)
    on, to = asked_day("as_of"), asked_day("to")
    found = database().run(lambda session: treeview.difference(session, reader(), (tree, on), (other, to)))
    entity, _ = treeview.named(reader(), tree)
    about: dict[str, Any] = {"tree": tree, "other": other, "as_of": on, "to": to, "limit": treeview.DIFFERENCES, "entity": entity}
    return show("hierarchy_diff", moved=found, section=_SECTION, **about)


def move_node(tree: str, golden_id: str) -> Page:
    return _move_page(tree, uuid_of(golden_id))


def move_step(tree: str, golden_id: str) -> Page | Response:
    """Find a new parent, see what the move would do, do it: one form, three buttons; each step holds what the former ones said."""
    entity, _ = treeview.named(reader(), tree)
    policy.check(actor(), Verb.DECIDE, entity.name)
    wanted, step = uuid_of(golden_id), request.form.get("step", "find")
    if step == "find":
        return _move_page(tree, wanted)
    try:
        to, since, author = _move()
        if step == "preview":
            told = database().rehearse(lambda session: treeview.preview(session, author, tree, wanted, to, since))
            return _move_page(tree, wanted, preview=told)
        database().run(lambda session: treeview.move(session, author, tree, wanted, to, since))
    except (Conflict, Invalid) as error:
        return _move_page(tree, wanted, problem=remedy(error), status=status_of(error))
    return redirect(url_for("ui.hierarchy", tree=tree, as_of=since, node=wanted), HTTPStatus.SEE_OTHER)


def _move() -> tuple[UUID, date, Author]:
    """Below whom, from when, said by whom and why. Raises Invalid for what is missing."""
    target, since, author = request.form.get("target", ""), day("since"), Author(actor(), reason("reason"), request_id())
    if not target:
        raise Invalid("Choose below which record it is to stand.")
    if since is None or not author.reason:
        raise Invalid("A move needs the day from which it holds, and a reason.")
    return uuid_of(target), since, author


def _move_page(
    tree: str, golden_id: UUID, *, preview: treeview.Preview | None = None, problem: str = "", status: int = HTTPStatus.OK
) -> Page:
    entity, _ = treeview.named(reader(), tree)
    policy.check(actor(), Verb.DECIDE, entity.name)
    text, target = clean_text(request.form.get("text", "")), request.form.get("target", "")

    def work(session: Session) -> dict[str, Any]:
        policy.check_visible(session, actor(), [golden_id])
        found: list[SearchHit] = [hit for hit in find(session, entity, text) if hit.id != golden_id]
        wanted = [golden_id, *([uuid_of(target)] if target else [])]
        lines = read_lines(session, entity, reader(), wanted)
        if golden_id not in lines:
            raise NotFound
        chosen = [lines[each] for each in wanted[1:] if each in lines and all(hit.id != each for hit in found)]
        now = treeview.whole(session, reader(), tree, day("since") or today())
        way = [hit.display for hit in read_lines(session, entity, reader(), now.way(golden_id)[:-1]).values()]
        return {"line": lines[golden_id], "found": [*chosen, *found], "way": way, "is_root": golden_id in now.children}

    return show(
        "hierarchy_move",
        status,
        tree=tree,
        entity=entity,
        text=text,
        target=target,
        preview=preview,
        problem=problem,
        typed=request.form,
        today=today(),
        section=_SECTION,
        **database().run(work),
    )


def asked_day(name: str) -> date:
    """A day of the address, today where it is not said. Raises Invalid."""
    text = request.args.get(name, "")
    try:
        return date.fromisoformat(text) if text else today()
    except ValueError:
        raise Invalid("A day is written 2026-03-31.") from None


def _asked_id(name: str) -> UUID | None:
    text = request.args.get(name, "")
    return uuid_of(text) if text else None


def _may(domain: str) -> bool:
    return policy.can(actor(), Verb.DECIDE, domain)


def reader() -> Reader:
    return Reader(actor(), request_id())
