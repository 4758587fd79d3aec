"""What goes with loads: the sign-off report, a blank workbook of each domain, the templates by which files are read."""

from collections.abc import Mapping
from typing import Any

from flask import Response, request
from marshmallow import Schema, fields, validate
from sqlalchemy.orm import Session

from api.auth import Access
from api.context import actor, concord, database, request_id, uuid_of
from api.routing import Answer, Operation, add, new_blueprint
from mdm import load_versions, policy
from mdm.access import Verb
from mdm.errors import UnknownDomain
from mdm.load_signoff import sign_off

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
HTML = "text/html"


class ReportQuery(Schema):
    """As JSON, or as a page that needs nothing beside it; where neither is said, as `Accept` wants it."""

    format = fields.String(validate=validate.OneOf(["json", "html"]))


class ReportSchema(Schema):
    """Everything a second person signs."""

    load_id = fields.UUID(required=True)
    plan_id = fields.UUID(required=True)
    title = fields.String(required=True)
    state = fields.String(required=True)
    made_at = fields.AwareDateTime(required=True)
    files = fields.List(fields.Dict(keys=fields.String(), values=fields.Raw()), required=True)
    columns = fields.List(fields.Dict(keys=fields.String(), values=fields.String()), required=True)
    steps = fields.List(fields.Dict(keys=fields.String(), values=fields.Raw()), required=True)
    planned = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    applied = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    rejects = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    template_version = fields.String(required=True)
    model_version = fields.String(required=True)
    thresholds = fields.Dict(keys=fields.String(), values=fields.Float(), required=True)
    fingerprint = fields.String(required=True)
    samples = fields.List(fields.Dict(keys=fields.String(), values=fields.Raw()), required=True)
    acts = fields.List(fields.Dict(keys=fields.String(), values=fields.Raw()), required=True)
    open_reviews = fields.Integer(required=True)
    guards = fields.List(fields.String(), required=True)


class VersionSchema(Schema):
    """One version of a template; versions never change."""

    version = fields.Integer(required=True)
    columns = fields.List(fields.Dict(keys=fields.String(), values=fields.String()), required=True)
    steps = fields.List(fields.Dict(keys=fields.String(), values=fields.Raw()), required=True)
    load_count = fields.Integer(required=True, metadata={"description": "That were read by it."})
    created_by = fields.String(required=True)
    created_at = fields.AwareDateTime(required=True)


class TemplateSchema(Schema):
    """How files of a system about a domain are read, the newest version first."""

    domain = fields.String(required=True)
    system = fields.String(required=True)
    versions = fields.List(fields.Nested(VersionSchema), required=True)


class TemplateListSchema(Schema):
    """Templates, by domain and system."""

    items = fields.List(fields.Nested(TemplateSchema), required=True)


def blueprint() -> Any:
    made = new_blueprint("load_papers", "/v1", "Reports, blank workbooks and templates of loads.")
    access = Access(Verb.LOAD)
    report = Operation(
        name="get_load_report",
        summary="The sign-off report, as JSON or as a web page",
        access=access,
        query=ReportQuery,
        answer=ReportSchema,
        refusals=(409,),
    )
    add(made, "GET", "/loads/<load_id>/report", get_report, report)
    blank = Operation(
        name="get_blank_workbook", summary="A blank workbook for a domain, to be filled in", access=access, answer=None, media=XLSX
    )
    add(made, "GET", "/load-templates/<domain>/blank.xlsx", get_blank, blank)
    templates = Operation(
        name="list_load_templates",
        summary="The versions of every template that you may load by",
        access=access,
        answer=TemplateListSchema,
    )
    add(made, "GET", "/load-templates", get_templates, templates)
    return made


def get_report(query: Mapping[str, Any], *, load_id: str) -> Answer:
    wanted = uuid_of(load_id)
    found = database().run(lambda session: sign_off(session, actor(), wanted, request_id()))
    return Response(found.as_html(), content_type=f"{HTML}; charset=utf-8") if _wants_page(query) else found.as_json()


def _wants_page(query: Mapping[str, Any]) -> bool:
    best = request.accept_mimetypes.best_match(["application/json", HTML])
    return bool(query.get("format", "html" if best == HTML else "json") == "html")


def get_blank(*, domain: str) -> Answer:
    entity = concord().entities.get(domain)
    if entity is None:
        raise UnknownDomain
    policy.check(actor(), Verb.LOAD, domain)
    from mdm.load_template import blank_template  # noqa: PLC0415  (openpyxl, which few processes ever need)

    headers = {"Content-Disposition": f'attachment; filename="{entity.plural}.xlsx"'}
    return Response(blank_template(entity), content_type=XLSX, headers=headers)


def get_templates() -> Answer:
    return {"items": database().run(_templates)}


def _templates(session: Session) -> list[dict[str, Any]]:
    return [
        {"domain": each.domain, "system": each.system, "versions": _versions(session, each.domain, each.system)}
        for each in load_versions.overview(session, actor())
    ]


def _versions(session: Session, domain: str, system: str) -> list[dict[str, Any]]:
    uses = load_versions.uses(session, domain, system)
    return [
        {
            "version": each.version,
            "columns": [{"target": column.target, "column": column.column} for column in each.columns],
            "steps": each.steps,
            "load_count": uses[each.version].count if each.version in uses else 0,
            "created_by": each.created_by,
            "created_at": each.created_at,
        }
        for each in load_versions.versions(session, actor(), domain, system)
    ]
