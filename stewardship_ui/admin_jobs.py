"""Work that runs later: how far it is, ended or tried again. Administrators see all of it, others what they asked for."""

from http import HTTPStatus

from flask import Blueprint, request, url_for
from marshmallow import ValidationError
from werkzeug.wrappers import Response

from api.context import actor, database, request_id, uuid_of
from api.jobs import JobQuery
from mdm import oversight, policy
from mdm.access import Verb
from mdm.errors import Invalid
from mdm.jobs import QUEUES, STATES
from stewardship_ui import forms
from stewardship_ui.admin_parts import show
from stewardship_ui.rendering import Page

_ROWS = 50


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/admin/jobs", "admin_jobs", jobs, methods=["GET"])
    blueprint.add_url_rule("/admin/jobs/<job_id>", "admin_job", job, methods=["GET"])
    blueprint.add_url_rule("/admin/jobs/<job_id>", "admin_job_act", act_on, methods=["POST"])


def jobs() -> Page:
    policy.check(actor(), Verb.CONFIGURE)
    try:
        query = JobQuery().load({**{name: value for name, value in request.args.items() if value}, "limit": _ROWS})
    except ValidationError:
        raise Invalid("The address of this list has filters that do not exist.") from None
    page = database().run(lambda session: oversight.list_jobs(session, actor(), query))
    return show("jobs", "ui.admin_jobs", page=page, query=query, states=STATES, queues=QUEUES)


def job(job_id: str, problem: str = "", status: int = HTTPStatus.OK) -> Page:
    policy.check(actor(), Verb.CONFIGURE)
    wanted = uuid_of(job_id)
    view = database().run(lambda session: oversight.get(session, actor(), wanted))
    return show("job", "ui.admin_jobs", status, job=view, problem=problem)


def act_on(job_id: str) -> Response | Page:
    policy.check(actor(), Verb.CONFIGURE)
    wanted, act = uuid_of(job_id), oversight.retry if request.form.get("act") == "retry" else oversight.cancel

    def work() -> None:
        database().run(lambda session: act(session, actor(), wanted, request_id()))

    return forms.done(work, url_for("ui.admin_job", job_id=wanted), lambda said, status: job(job_id, said, status))
