"""The work list: what matters most first. Its address is its state; a saved view is an address with a name."""

from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import urlencode

from flask import Blueprint, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from api.context import actor, concord, database, request_id, uuid_of
from mdm import batches, desk, policy, views, worklist
from mdm.access import Verb
from mdm.errors import Invalid
from mdm.reading import Reader
from mdm.values.kind import clean_text
from mdm.worklist import Filters
from stewardship_ui.guard import check_fresh
from stewardship_ui.rendering import Page, show
from stewardship_ui.showing import left
from stewardship_ui.words import DUES, OWN_WAITS, SORTS, WAITS

FILTERS = ("domain", "kind", "owner", "queue", "due", "waits", "status", "sort")
_BESIDE = frozenset({"cursor", "decided", "outcome"})


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/tasks", "tasks", tasks, methods=["GET"])
    blueprint.add_url_rule("/tasks/views", "save_view", save_view, methods=["POST"])
    blueprint.add_url_rule("/tasks/views/<view_id>/delete", "delete_view", delete_view, methods=["POST"])
    blueprint.add_url_rule("/tasks/selected", "selected", selected, methods=["POST"])
    blueprint.add_url_rule("/tasks/batches/<batch_id>", "batch", batch, methods=["GET"])
    blueprint.add_url_rule("/tasks/batches/<batch_id>/undo", "undo_batch", undo_batch, methods=["POST"])


def tasks() -> Page:
    policy.check(actor(), Verb.READ)
    filters = read_filters()
    cursor = request.args.get("cursor") or None

    def work(session: Session) -> tuple[worklist.Listing, Sequence[views.View], Sequence[str]]:
        found = worklist.list_page(session, concord().entities, Reader(actor(), request_id()), filters, cursor=cursor)
        return found, views.of(session, actor(), "tasks"), desk.people(session, [item.id for item in found.items], of_any=True)

    listing, saved, people = database().run(work)
    return show(
        "tasks",
        listing=listing,
        filters=filters,
        chosen=query_of(filters),
        cursor=cursor,
        saved=saved,
        people=people,
        entities=concord().entities,
        dues=DUES,
        sorts=SORTS,
        waits=WAITS,
        rests={**WAITS, **OWN_WAITS},
        most=batches.TASKS_MAX,
        left=left(request.args),
        may_decide=policy.can(actor(), Verb.DECIDE),
    )


def read_filters() -> Filters:
    """The filters of the address. Raises Invalid for one that there is not, and NUL or the like in one that there is."""
    given = {name: value for name, value in request.args.items() if value and name not in _BESIDE}
    if not given.keys() <= set(FILTERS) or any(clean_text(value) != value or len(value) > 100 for value in given.values()):
        raise Invalid("The address of this list has filters that do not exist.")
    filters = Filters(**given)
    worklist.check(filters)
    return filters


def query_of(filters: Filters) -> dict[str, str]:
    """The filters as an address has them; the usual ones are left out."""
    usual = Filters()
    return {name: value for name in FILTERS if (value := getattr(filters, name)) is not None and value != getattr(usual, name)}


def save_view() -> Response:
    """This list under a name, for oneself or for all."""
    given = {name: request.form.get(name, "") for name in FILTERS if request.form.get(name)}
    filters = Filters(**given)
    worklist.check(filters)
    name, shared = clean_text(request.form.get("name", "")), request.form.get("shared") == "yes"
    query = urlencode(query_of(filters))
    database().run(lambda session: views.save(session, actor(), views.NewView("tasks", name, query, shared=shared)))
    return redirect(url_for("ui.tasks") + (f"?{query}" if query else ""), HTTPStatus.SEE_OTHER)


def delete_view(view_id: str) -> Response:
    wanted = uuid_of(view_id)
    database().run(lambda session: views.delete(session, actor(), wanted))
    return redirect(url_for("ui.tasks"), HTTPStatus.SEE_OTHER)


def selected() -> Response:
    """One act on the tasks that are ticked, or on all that match: assigned, shared out, given back, or put off."""
    policy.check(actor(), Verb.DECIDE)
    check_fresh()
    given = {name: request.form.get(name, "") for name in FILTERS if request.form.get(name)}
    filters = Filters(**given)
    act, to = request.form.get("act", ""), clean_text(request.form.get("to", ""))

    def work(session: Session) -> batches.Batch:
        chosen = [uuid_of(each) for each in request.form.getlist("task")]
        wanted = worklist.matching(session, actor(), filters, batches.TASKS_MAX) if request.form.get("all") == "yes" else chosen
        mine = worklist.decidable(session, actor(), wanted)
        if act == "defer":
            return batches.start(session, actor(), "defer", request.form.get("until", "2"), mine)
        if act == "share":
            return batches.start(session, actor(), "share", None, mine)
        return batches.start(session, actor(), "assign", {"mine": actor().name, "nobody": None}.get(act, to), mine)

    made = database().run(work)
    query = query_of(filters)
    return redirect(url_for("ui.batch", batch_id=made.id, list=urlencode(query) or None), HTTPStatus.SEE_OTHER)


def batch(batch_id: str) -> Page:
    """How far an act on many tasks is, and its one undo."""
    wanted = uuid_of(batch_id)
    found = database().run(lambda session: batches.read(session, actor(), wanted))
    return show("batch", batch=found, view=request.args.get("list", ""))


def undo_batch(batch_id: str) -> Response:
    wanted = uuid_of(batch_id)
    database().run(lambda session: batches.undo(session, actor(), wanted))
    return redirect(url_for("ui.batch", batch_id=batch_id), HTTPStatus.SEE_OTHER)
