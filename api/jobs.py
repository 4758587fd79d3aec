"""Work that runs later: how far it is, and how to end it or try it again. Administrators see all of it, others what they asked for."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

from marshmallow import Schema, fields, validate

from api.auth import Access
from api.context import actor, database, request_id, uuid_of
from api.routing import Answer, Operation, add, new_blueprint
from api.schemas import text
from mdm import oversight
from mdm.access import Verb
from mdm.jobs import QUEUES, STATES
from mdm.oversight import PAGE_MAX, JobView, Wanted


class JobQuery(Schema):
    """Which jobs."""

    state = fields.String(validate=validate.OneOf(STATES))
    queue = fields.String(validate=validate.OneOf(QUEUES))
    kind = text()
    limit = fields.Integer(load_default=50, validate=validate.Range(1, PAGE_MAX))
    cursor = fields.UUID()


class ProgressSchema(Schema):
    """How far a job is, in rows; nothing before it said anything. A total of 0 is not known yet."""

    stage = fields.String()
    done = fields.Integer()
    total = fields.Integer()
    rate = fields.Float(allow_none=True, metadata={"description": "Rows a second since the present worker began."})


class ChunksSchema(Schema):
    """The chunks of a job, and the rows of those that are done."""

    total = fields.Integer(required=True)
    done = fields.Integer(required=True)
    rows_ok = fields.Integer(required=True)
    rows_rejected = fields.Integer(required=True)


class JobSchema(Schema):
    """One job. `cancel_asked`: it ends after the chunk under way."""

    id = fields.UUID(required=True)
    kind = fields.String(required=True)
    version = fields.Integer(required=True)
    queue = fields.String(required=True)
    priority = fields.Integer(required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    payload = fields.Dict(keys=fields.String(), values=fields.Raw(), required=True, metadata={"description": "Ids only."})
    progress = fields.Nested(ProgressSchema, required=True)
    attempt = fields.Integer(required=True)
    max_attempts = fields.Integer(required=True)
    error = fields.String(required=True, allow_none=True)
    created_by = fields.String(required=True, allow_none=True)
    request_id = fields.String(required=True, allow_none=True)
    created_at = fields.AwareDateTime(required=True)
    run_at = fields.AwareDateTime(required=True)
    heartbeat_at = fields.AwareDateTime(required=True, allow_none=True)
    finished_at = fields.AwareDateTime(required=True, allow_none=True)
    cancel_asked = fields.Boolean(required=True)


class JobDetailSchema(JobSchema):
    """One job with its chunks."""

    chunks = fields.Nested(ChunksSchema, required=True)


class JobPageSchema(Schema):
    """Jobs, newest first."""

    items = fields.List(fields.Nested(JobSchema), required=True)
    next = fields.UUID(required=True, allow_none=True)


def blueprint() -> Any:
    made = new_blueprint("jobs", "/v1/jobs", "Work that runs later.")
    anybody, admins = Access(None), Access(Verb.CONFIGURE)
    listing = Operation(
        name="list_jobs",
        summary="Jobs, newest first: administrators see all, others those that they asked for",
        access=anybody,
        query=JobQuery,
        answer=JobPageSchema,
    )
    one = Operation(name="get_job", summary="One job, with how far it is", access=anybody, answer=JobDetailSchema)
    cancel = Operation(
        name="cancel_job",
        summary="End a job: at once where it waits (200), after the chunk under way where it runs (202); what was done stands",
        access=anybody,
        answer=JobDetailSchema,
        also=((HTTPStatus.ACCEPTED, JobDetailSchema),),
        refusals=(409,),
    )
    retry = Operation(
        name="retry_job",
        summary="Try a failed or quarantined job again, with all its attempts",
        access=admins,
        answer=JobDetailSchema,
        status=HTTPStatus.ACCEPTED,
        refusals=(409,),
    )
    add(made, "GET", "", get_all, listing)
    add(made, "GET", "/<job_id>", get_one, one)
    add(made, "POST", "/<job_id>/cancel", post_cancel, cancel)
    add(made, "POST", "/<job_id>/retry", post_retry, retry)
    return made


def get_all(query: Mapping[str, Any]) -> Answer:
    return database().run(lambda session: oversight.list_jobs(session, actor(), cast("Wanted", query)))


def get_one(*, job_id: str) -> Answer:
    wanted = uuid_of(job_id)
    return database().run(lambda session: oversight.get(session, actor(), wanted))


def post_cancel(*, job_id: str) -> Answer:
    wanted = uuid_of(job_id)
    view: JobView = database().run(lambda session: oversight.cancel(session, actor(), wanted, request_id()))
    return view, HTTPStatus.ACCEPTED if view.cancel_asked else HTTPStatus.OK


def post_retry(*, job_id: str) -> Answer:
    wanted = uuid_of(job_id)
    return database().run(lambda session: oversight.retry(session, actor(), wanted, request_id()))
