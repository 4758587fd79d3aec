"""The work list: what matters most first. It shows each subject's masked line, so listing patients is audited as reading them."""

from typing import Any

from flask import Blueprint, render_template, request
from marshmallow import ValidationError
from sqlalchemy.orm import Session

from api.context import actor, concord, database, request_id
from api.tasks import TaskQuery, get_all
from mdm import mask, policy
from mdm.access import Verb
from mdm.errors import Invalid
from mdm.reading import Reader, read_golden
from mdm.tasks import TaskPage, TaskView
from stewardship_ui.showing import tag_only

_ROWS = 25


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/tasks", "tasks", tasks, methods=["GET"])


def tasks() -> str:
    policy.check(actor(), Verb.READ)
    query = read_query()
    page: TaskPage = get_all(query)
    lines = database().run(lambda session: [_line(session, task) for task in page.items])
    domains = [concord().entities[name] for name in sorted(policy.domains(actor(), Verb.READ))]
    return render_template(
        "tasks.html", lines=lines, next=page.next, query=query, domains=domains, decided=tag_only(request.args.get("decided", ""))
    )


def read_query() -> dict[str, Any]:
    """The filters of the address, checked as the API checks them; an empty field of the form asks for nothing."""
    given = {name: value for name, value in request.args.items() if value and name != "decided"}
    try:
        query: dict[str, Any] = TaskQuery().load({**given, "limit": _ROWS})
    except ValidationError:
        raise Invalid("The address of this list has filters that do not exist.") from None
    return query


def _line(session: Session, task: TaskView) -> tuple[TaskView, str, str]:
    """The task, its domain as people call it, and its subject's line."""
    entity = concord().entities[task.domain]
    if not task.goldens:  # an unknown value of a system: of a patient it is told only where reading it is audited
        return task, entity.label, f"{task.detail.get('system', '')} {task.detail.get('value', '')}".strip()
    view = read_golden(session, entity, Reader(actor(), request_id()), task.goldens[0])
    return task, entity.label, mask.line(entity, view.values)
