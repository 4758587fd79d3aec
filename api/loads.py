"""Loads of files: upload, plan, apply, undo, and what is told of them. The work is a job; a load shows how far it is."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Response, request
from marshmallow import Schema, ValidationError, fields, validate
from sqlalchemy.orm import Session
from werkzeug.exceptions import UnsupportedMediaType

from api.auth import Access
from api.context import actor, concord, database, request_id, uuid_of
from api.errors import field_problems
from api.routing import Answer, Operation, add, new_blueprint
from api.schemas import text
from mdm import load_outlook, load_samples, loads
from mdm.access import Verb
from mdm.errors import Invalid, UnknownDomain
from mdm.jsonio import loads as read_json
from mdm.load_manifest import MANIFEST_BYTES_MAX, read_sent
from mdm.load_rejected import rejects_csv
from mdm.load_table import Options
from mdm.load_targets import read_columns
from mdm.load_upload import Upload, upload, upload_all
from mdm.loads import LoadView
from mdm.reasons import REASON_MAX

UPLOAD_BYTES_MAX = 20 * 1024**3


class WantsForm(UnsupportedMediaType):
    """A file comes as a part of a form."""

    wanted = "multipart/form-data"


class LoadForm(Schema):
    """The fields beside the file."""

    domain = text(required=True)
    system = text(required=True)
    columns = text(
        load_default="", metadata={"description": "attribute=column,...; what is not said is taken from the template, or suggested"}
    )
    steps = text(
        load_default=None, metadata={"description": "A JSON list of repairs, each of one column; where none is sent, those of the template"}
    )
    encoding = text(load_default=None)
    delimiter = text(load_default=None)
    sheet = text(load_default=None)
    header_row = fields.Integer(load_default=None, validate=validate.Range(1, 1000))


class LoadQuery(Schema):
    """Which loads."""

    limit = fields.Integer(load_default=50, validate=validate.Range(1, loads.PAGE_MAX))
    cursor = fields.UUID()


class CountsSchema(Schema):
    """Rows by outcome, and `absent`: records of the system that the file does not name. `waiting`: for a later wave."""

    new = fields.Integer(required=True)
    linked = fields.Integer(required=True)
    review = fields.Integer(required=True)
    updated = fields.Integer(required=True)
    unchanged = fields.Integer(required=True)
    rejected = fields.Integer(required=True)
    absent = fields.Integer(required=True)
    waiting = fields.Integer()


class LoadSchema(Schema):
    """A load."""

    load_id = fields.UUID(required=True, attribute="id")
    domain = fields.String(required=True)
    system = fields.String(required=True)
    name = fields.String(required=True)
    sha256 = fields.String(required=True)
    bytes = fields.Integer(required=True)
    template = fields.Integer(required=True, allow_none=True)
    status = fields.String(required=True)
    plan_id = fields.UUID(required=True, allow_none=True)
    same_as = fields.UUID(required=True, allow_none=True)
    counts = fields.Nested(CountsSchema, required=True, allow_none=True, metadata={"description": "As planned."})
    applied = fields.Nested(CountsSchema, required=True, allow_none=True, metadata={"description": "As it came out."})
    seconds = fields.Dict(keys=fields.String(), values=fields.Float(), required=True)
    created_by = fields.String(required=True)
    created_at = fields.AwareDateTime(required=True)
    asked_by = fields.String(required=True, allow_none=True)
    approved_by = fields.String(required=True, allow_none=True)
    applied_at = fields.AwareDateTime(required=True, allow_none=True)
    undone_at = fields.AwareDateTime(required=True, allow_none=True)


class LoadDetailSchema(LoadSchema):
    """A load with its plan and the job that works on it."""

    options = fields.Dict(keys=fields.String(), values=fields.Raw(), required=True)
    plan = fields.Dict(keys=fields.String(), values=fields.Raw(), required=True, allow_none=True)
    job = fields.Dict(keys=fields.String(), values=fields.Raw(), required=True, allow_none=True)


class LoadListSchema(Schema):
    """Loads, in order."""

    items = fields.List(fields.Nested(LoadSchema), required=True)


class LoadPageSchema(LoadListSchema):
    """Loads, newest first; `next` is the cursor of the page after."""

    next = fields.UUID(required=True, allow_none=True)


class ApplySchema(Schema):
    """Which plan, of which rows, and which guard rails somebody has looked at."""

    plan_id = fields.UUID(metadata={"description": "The plan that was read; without it, the load's present one."})
    wave = fields.Dict(
        keys=text(), values=text(), load_default=None, metadata={"description": "Only rows with these values, cleaned; the others wait."}
    )
    despite = fields.List(text(), load_default=list)
    reason = text(
        REASON_MAX,
        load_default="",
        metadata={"description": "Why; wanted where a guard rail is hit or a second person agrees. Kept for ever, so name no patient."},
    )


class UndoLoadSchema(Schema):
    """Why a load is taken back."""

    reason = text(
        REASON_MAX, load_default="", metadata={"description": "Why; wanted where a second person agrees. Kept for ever: name no patient."}
    )


class EmptySchema(Schema):
    """Nothing has to be said."""


class KeptRowSchema(Schema):
    """A row that an undo leaves as it is, and why."""

    row = fields.Integer(required=True)
    why = fields.String(required=True)


class GoingRowSchema(Schema):
    """A row that an undo takes back: `withdrawn`, or `reverted` to its former version."""

    row = fields.Integer(required=True)
    what = fields.String(required=True)
    golden_id = fields.UUID(required=True, allow_none=True)


class RepeatedRowSchema(Schema):
    """A row whose record is withdrawn although its system has said the same once more, in a later load."""

    row = fields.Integer(required=True)
    load_id = fields.UUID(required=True)


class StandingMergeSchema(Schema):
    """What a person has merged since the plan was made."""

    decision_id = fields.UUID(required=True)
    by = fields.String(required=True)
    at = fields.AwareDateTime(required=True)


class PartingSchema(Schema):
    """A golden record that loses records, and what people merged into it since."""

    golden_id = fields.UUID(required=True)
    records = fields.Integer(required=True, metadata={"description": "That it has now."})
    withdrawn = fields.Integer(required=True)
    returned = fields.Integer(required=True)
    returns_to = fields.List(fields.UUID(), required=True)
    merges = fields.List(fields.Nested(StandingMergeSchema), required=True)


class UndoPreviewSchema(Schema):
    """What an undo would do now; counts are of all, of each list come the first 200."""

    counts = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    going = fields.List(fields.Nested(GoingRowSchema), required=True)
    kept = fields.List(fields.Nested(KeptRowSchema), required=True)
    splits = fields.List(fields.Nested(PartingSchema), required=True)
    repeated = fields.List(fields.Nested(RepeatedRowSchema), required=True)


def blueprint() -> Any:
    made = new_blueprint("loads", "/v1/loads", "Files of a system: planned before anything changes, applied, undone.")
    access = Access(Verb.LOAD)
    post = Operation(
        name="create_load",
        summary="Upload a file; what its columns are is taken from the form, the template of the system, or suggested",
        access=access,
        answer=LoadDetailSchema,
        status=HTTPStatus.CREATED,
        refusals=(400, 404, 413, 415, 422),
        docs={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}},
    )
    add(made, "POST", "", post_load, post)
    together = Operation(
        name="create_loads",
        summary="Upload several files with a manifest, which says which is what: each becomes a load, in its order, or none does",
        access=access,
        answer=LoadListSchema,
        status=HTTPStatus.CREATED,
        refusals=(400, 404, 413, 415, 422),
        docs={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FOLDER}}}},
    )
    add(made, "POST", "/folder", post_folder, together)
    add(
        made,
        "GET",
        "",
        get_all,
        Operation(name="list_loads", summary="Loads, newest first", access=access, query=LoadQuery, answer=LoadPageSchema),
    )
    add(
        made,
        "GET",
        "/<load_id>",
        get_one,
        Operation(name="get_load", summary="A load, its plan, its job", access=access, answer=LoadDetailSchema),
    )
    plan = _starting("plan_load", "Find out what the load would change; again for a new plan", EmptySchema)
    add(made, "POST", "/<load_id>/plan", post_plan, plan)
    apply = _starting(
        "apply_load",
        "Apply the plan; above a configured size, as the second person who asks for the same. 409 plan_stale says what has changed since",
        ApplySchema,
    )
    add(made, "POST", "/<load_id>/apply", post_apply, apply)
    undo = _starting("undo_load", "Take an applied load back, but for what was decided or delivered since", UndoLoadSchema)
    add(made, "POST", "/<load_id>/undo", post_undo, undo)
    look = Operation(name="preview_undo", summary="What an undo would do now", access=access, answer=UndoPreviewSchema, refusals=(409,))
    add(made, "GET", "/<load_id>/undo", get_undo, look)
    withdrawn = Operation(
        name="withdraw_load_request",
        summary="No longer ask to apply or undo the load, as whoever asked, while no second person has agreed",
        access=access,
        answer=LoadDetailSchema,
        refusals=(409,),
    )
    add(made, "DELETE", "/<load_id>/request", delete_request, withdrawn)
    rejects = Operation(
        name="get_rejects",
        summary="The rejected rows as CSV, to be corrected and uploaded again",
        access=access,
        answer=None,
        media="text/csv",
    )
    add(made, "GET", "/<load_id>/rejects.csv", get_rejects, rejects)
    return made


def _starting(name: str, summary: str, body: type[Schema]) -> Operation:
    """A route that begins a job."""
    status = HTTPStatus.ACCEPTED
    return Operation(
        name=name, summary=summary, access=Access(Verb.LOAD), body=body, answer=LoadDetailSchema, status=status, refusals=(409,)
    )


_FORM = {
    "type": "object",
    "required": ["file", "domain", "system"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        **{name: {"type": "string"} for name in ("domain", "system", "columns", "steps", "encoding", "delimiter", "sheet", "header_row")},
    },
}


_FOLDER = {
    "type": "object",
    "required": ["manifest", "file"],
    "properties": {
        "manifest": {"type": "string", "format": "binary", "description": "manifest.json or manifest.toml, as in a folder"},
        "file": {"type": "array", "items": {"type": "string", "format": "binary"}, "description": "The files, by their file names"},
    },
}


def _check_form() -> None:
    if request.mimetype != "multipart/form-data":
        raise WantsForm
    request.max_content_length = UPLOAD_BYTES_MAX


def post_load() -> Answer:
    _check_form()
    given, file = _form(), request.files.get("file")
    if file is None:
        raise Invalid.at("required", "/file", "send the file as a part named `file`")
    entity = concord().entities.get(given["domain"])
    if entity is None:
        raise UnknownDomain
    reading = Options(given["encoding"], given["delimiter"], given["sheet"], given["header_row"])
    columns = read_columns(given["columns"]) if given["columns"] else ()
    wanted = Upload(entity, given["system"], file.stream, file.filename or "file", columns, _steps(given["steps"]), reading)
    return upload(database(), concord().settings.home, actor(), wanted, request_id()), HTTPStatus.CREATED


def post_folder() -> Answer:
    _check_form()
    manifest, files = request.files.get("manifest"), {file.filename or "": file for file in request.files.getlist("file")}
    if manifest is None or not files:
        raise Invalid.at("required", "/manifest" if manifest is None else "/file", "send `manifest`, and each file as a part named `file`")
    if len(files) < len(request.files.getlist("file")):
        raise Invalid.at("file_twice", "/file", "two files have the same name")
    entities = concord().entities
    parts = read_sent(manifest.filename or "manifest.json", manifest.read(MANIFEST_BYTES_MAX + 1), files, entities)
    wanted = [Upload(entities[p.domain], p.system, files[p.name].stream, p.name, p.mapping, p.steps, p.options) for p in parts]
    return {"items": upload_all(database(), concord().settings.home, actor(), wanted, request_id())}, HTTPStatus.CREATED


def _form() -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = LoadForm().load(request.form.to_dict())
    except ValidationError as error:
        raise Invalid(problems=tuple(field_problems(error.messages))) from None
    return found


def _steps(given: str | None) -> list[Mapping[str, Any]] | None:
    if given is None:
        return None
    try:
        found = read_json(given)
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(step, dict) for step in found):
        raise Invalid.at("wrong_type", "/steps", "a JSON list of steps")
    return found


def get_all(query: Mapping[str, Any]) -> Answer:
    most = query["limit"]
    found = database().run(lambda session: loads.list_loads(session, actor(), before=query.get("cursor"), limit=most + 1))
    return {"items": found[:most], "next": found[most - 1].id if len(found) > most else None}


def get_one(*, load_id: str) -> Answer:
    wanted = uuid_of(load_id)
    return database().run(lambda session: _shown(session, loads.get(session, actor(), wanted)))


def _shown(session: Session, view: LoadView) -> LoadView:
    return load_samples.seen(session, actor(), view, request_id())


def post_plan(_: Mapping[str, Any], *, load_id: str) -> Answer:
    wanted = uuid_of(load_id)
    view = database().run(lambda session: _shown(session, loads.ask_plan(session, actor(), wanted, request_id())))
    return view, HTTPStatus.ACCEPTED


def post_apply(body: Mapping[str, Any], *, load_id: str) -> Answer:
    wanted, rows = uuid_of(load_id), concord().settings.load_approval_rows
    how = loads.Applying(rows, body["wave"], tuple(body["despite"]), body["reason"])
    plan_id = body.get("plan_id")
    view = database().run(lambda session: _shown(session, loads.ask_apply_of(session, actor(), wanted, plan_id, how, request_id())))
    return view, HTTPStatus.ACCEPTED


def post_undo(body: Mapping[str, Any], *, load_id: str) -> Answer:
    wanted, how = uuid_of(load_id), loads.Undoing(concord().settings.load_approval_rows, body["reason"])
    view = database().run(lambda session: _shown(session, loads.ask_undo(session, actor(), wanted, how, request_id())))
    return view, HTTPStatus.ACCEPTED


def delete_request(*, load_id: str) -> Answer:
    wanted = uuid_of(load_id)
    return database().run(lambda session: _shown(session, loads.withdraw_request(session, actor(), wanted, request_id())))


def get_undo(*, load_id: str) -> Answer:
    wanted = uuid_of(load_id)
    return database().run(lambda session: load_outlook.preview(session, actor(), wanted))


def get_rejects(*, load_id: str) -> Answer:
    wanted = uuid_of(load_id)
    content = database().run(lambda session: rejects_csv(session, actor(), wanted, request_id()))
    headers = {"Content-Disposition": "attachment; filename=rejects.csv"}
    return Response(content, content_type="text/csv; charset=utf-8", headers=headers)
