"""The stewards' queue: tasks of the domains that the reader may read, and their decisions under If-Match."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

from marshmallow import Schema, fields, validate
from sqlalchemy.orm import Session

from api.auth import Access
from api.context import actor, concord, database, request_id, uuid_of
from api.identity import take_back
from api.identity_schemas import UndoneSchema
from api.preconditions import etag, if_match, if_match_parameter
from api.proposals import ProposalSchema, undecided
from api.routing import Answer, Operation, add, new_blueprint
from api.schemas import CURSOR_MAX, text
from mdm import audit, policy, tasks, verdicts, workbench
from mdm.access import Verb
from mdm.errors import Conflict, UnknownDomain
from mdm.identity import RECORDS_MAX
from mdm.misswork import KIND
from mdm.reading import Reader
from mdm.reasons import REASON_MAX

VERDICTS = sorted({verdict for verdicts in tasks.VERDICTS.values() for verdict in verdicts})
STATUSES = ("open", "settled", "obsolete")
_PAGE_MAX = 200


class TaskQuery(Schema):
    """Which tasks."""

    domain = text()
    kind = text()
    status = fields.String(load_default="open", validate=validate.OneOf(STATUSES))
    limit = fields.Integer(load_default=50, validate=validate.Range(1, _PAGE_MAX))
    cursor = text(CURSOR_MAX)


class TaskSchema(Schema):
    """One piece of steward work."""

    id = fields.UUID(required=True)
    domain = fields.String(required=True)
    kind = fields.String(required=True)
    status = fields.String(required=True)
    version = fields.Integer(required=True)
    impact = fields.Float(required=True)
    detail = fields.Dict(keys=fields.String(), values=fields.Raw(), required=True)
    goldens = fields.List(fields.UUID(), required=True)
    records = fields.List(fields.UUID(), required=True)
    created_at = fields.AwareDateTime(required=True)
    closed_at = fields.AwareDateTime(required=True, allow_none=True)
    decision_id = fields.UUID(required=True, allow_none=True)


class TaskPageSchema(Schema):
    """Tasks in the order in which to work on them."""

    items = fields.List(fields.Nested(TaskSchema), required=True)
    next = fields.String(required=True, allow_none=True)


class TaskDecisionSchema(Schema):
    """What is true: same, link-only or different for a review, accept or reject for a proposed cut or a quarantined update.

    Of a split: split (into `groups`), together. Of acts that take a second person: the verdicts of a review, or move, stay.

    Of a merge request: done (the system has merged its records), declined (it will not).
    Of a shared identifier: same, different, belongs (to the candidate), shared, placeholder. Of an oversize golden record: keep.
    Of drift: accept, restore, exception.
    Of a miss: map (the value belongs to the candidate), ignore (not worth mapping), not_ours (no such value can be).
    """

    verdict = fields.String(required=True, validate=validate.OneOf(VERDICTS))
    candidate = fields.UUID(metadata={"description": "The golden record that is meant, where several are named."})
    reason = text(REASON_MAX, load_default="")
    groups = fields.List(
        fields.List(fields.UUID(), validate=validate.Length(max=RECORDS_MAX)),
        load_default=list,
        validate=validate.Length(max=RECORDS_MAX),
        metadata={"description": "Of a split: the records of each part; those that none names are one more."},
    )
    until = fields.Date(load_default=None, allow_none=True, metadata={"description": "Until when an ignored miss is no work."})


def blueprint() -> Any:
    made = new_blueprint("tasks", "/v1/tasks", "The stewards' work.")
    read = Access(Verb.READ)
    listing = Operation(name="list_tasks", summary="The queue", access=read, query=TaskQuery, answer=TaskPageSchema, refusals=(404,))
    one = Operation(name="get_task", summary="One task, with its version as ETag", access=read, answer=TaskSchema)
    decide = Operation(
        name="decide_task",
        summary="Decide a task that nobody else has changed since you read it",
        access=Access(Verb.DECIDE),
        body=TaskDecisionSchema,
        answer=TaskSchema,
        also=((HTTPStatus.ACCEPTED, ProposalSchema),),
        refusals=(409, 412, 428),
        docs={"parameters": [if_match_parameter("the task")]},
        once=True,
    )
    undo = Operation(
        name="undo_task",
        summary="Take back what was decided of a task; it opens again where its question still stands",
        access=Access(Verb.DECIDE),
        answer=UndoneSchema,
        once=True,
    )
    add(made, "DELETE", "/<task_id>/decision", delete_decision, undo)
    add(made, "GET", "", get_all, listing)
    add(made, "GET", "/<task_id>", get_one, one)
    add(made, "PUT", "/<task_id>/decision", put_decision, decide)
    return made


def get_all(query: Mapping[str, Any]) -> Answer:
    domains = _domains(query.get("domain"))

    def work(session: Session) -> tasks.TaskPage:
        page = tasks.list_tasks(
            session, domains=domains, kind=query.get("kind"), status=query["status"], limit=query["limit"], cursor=query.get("cursor")
        )
        seen = policy.visible(session, actor(), {golden for task in page.items for golden in task.goldens})
        return tasks.TaskPage(
            tuple(task for task in page.items if seen.issuperset(task.goldens) and tasks.concerns(actor(), task)), page.next
        )

    return database().run(work)


def get_one(*, task_id: str) -> Answer:
    wanted = uuid_of(task_id)
    view = database().run(lambda session: _shown(session, wanted))
    return view, HTTPStatus.OK, etag(view.version)


def _shown(session: Session, task_id: UUID) -> tasks.TaskView:
    """A miss comes with what a steward needs to settle it, made fresh."""
    task = _read(session, task_id)
    return task if task.kind != KIND else workbench.shown(session, concord().entities[task.domain], Reader(actor(), request_id()), task)


def put_decision(body: Mapping[str, Any], *, task_id: str) -> Answer:
    wanted = uuid_of(task_id)
    groups = tuple(map(tuple, body["groups"]))
    ruling = tasks.Ruling(body["verdict"], if_match(), body.get("candidate"), body["reason"], body["until"], groups=groups)

    def work(session: Session) -> tuple[Mapping[str, Any], tasks.TaskView]:
        task = _read(session, wanted)
        policy.check(actor(), Verb.DECIDE, task.domain)
        told = verdicts.say(session, concord().entities[task.domain], wanted, actor(), verdicts.Form(ruling=ruling), request_id())
        return told, tasks.get(session, wanted)

    told, view = database().run(work)
    return undecided(told) or (view, HTTPStatus.OK, etag(view.version))


def delete_decision(*, task_id: str) -> Answer:
    wanted = uuid_of(task_id)

    def find(session: Session) -> tuple[str, UUID]:
        task = _read(session, wanted)
        policy.check(actor(), Verb.DECIDE, task.domain)
        if task.decision_id is None:
            raise Conflict("nothing was decided of this task")
        return task.domain, task.decision_id

    return take_back(find)


def _domains(asked: str | None) -> frozenset[str]:
    readable = policy.domains(actor(), Verb.READ)
    if asked is None:
        return readable
    if asked not in concord().entities:
        raise UnknownDomain
    policy.check(actor(), Verb.READ, asked)
    return frozenset({asked})


def _read(session: Session, task_id: UUID) -> tasks.TaskView:
    """A task of a domain and of golden records that exist for this reader; of a patient it is audited."""
    task = tasks.get_visible(session, actor(), task_id)
    if concord().entities[task.domain].phi:
        audit.record(session, actor(), "task:read", domain=task.domain, subjects=task.goldens, request_id=request_id(), outcome="answered")
    return task
