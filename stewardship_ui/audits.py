"""The audit: who did or read what, by person, act and record; as a file; and emergency access that somebody else signs off."""

import csv
import hmac
from collections.abc import Mapping, Sequence
from datetime import date
from hashlib import sha256
from http import HTTPStatus
from io import StringIO
from uuid import UUID

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from api.context import actor, concord, database, request_id, uuid_of
from mdm import audit_reading, glass, policy
from mdm.access import Verb
from mdm.audit_reading import PAGE, AuditRow, Wanted
from mdm.errors import Invalid
from mdm.jsonio import dumps
from mdm.values.kind import clean_text
from stewardship_ui import forms
from stewardship_ui.rendering import Page, show

FILE_ROWS_MAX = 10_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/audit", "audit", rows, methods=["GET"])
    blueprint.add_url_rule("/audit.csv", "audit_file", file, methods=["GET"])
    blueprint.add_url_rule("/audit/emergency", "audit_emergency", emergency, methods=["GET"])
    blueprint.add_url_rule("/audit/emergency/<glass_id>", "audit_sign_off", sign_off, methods=["POST"])


def rows() -> Page:
    policy.check(actor(), Verb.AUDIT)
    wanted = _wanted(request.args)
    found, glasses = database().run(
        lambda s: (audit_reading.read(s, actor(), wanted, request_id(), limit=PAGE + 1), audit_reading.glasses(s, actor()))
    )
    unsigned = sum(glass.reviewed_at is None for glass in glasses)
    more, said = found[PAGE - 1].n if len(found) > PAGE else None, _said(request.args)
    return show(
        "audit", section="ui.audit", rows=found[:PAGE], next=more, query=said, domains=sorted(concord().entities), unsigned=unsigned
    )


def _said(args: Mapping[str, str]) -> dict[str, str]:
    names = ("principal", "action", "domain", "subject", "since", "until")
    return {name: value for name in names if (value := clean_text(args.get(name, ""))[:200])}


def _wanted(args: Mapping[str, str]) -> Wanted:
    """Which rows the address asks for. Raises Invalid for a day or an id that is none."""
    said, wanted = _said(args), Wanted()
    try:
        for name in ("principal", "action", "domain"):
            if name in said:
                wanted[name] = said[name]
        if "subject" in said:
            wanted["subject"] = UUID(said["subject"])
        if "since" in said:
            wanted["since"] = date.fromisoformat(said["since"])
        if "until" in said:
            wanted["until"] = date.fromisoformat(said["until"])
        if args.get("before", ""):
            wanted["before"] = min(int(args["before"]), 2**62)
    except ValueError:
        raise Invalid("A day reads 2026-01-31, and a record is named by its whole golden id.") from None
    return wanted


def file() -> Response:
    """The rows as CSV, formulas made harmless, with a last line that signs all lines above it: HMAC-SHA256 under the server's pepper."""
    policy.check(actor(), Verb.AUDIT)
    wanted = _wanted(request.args)
    found = database().run(lambda session: audit_reading.read(session, actor(), wanted, request_id(), limit=FILE_ROWS_MAX))
    body = _csv(found)
    signature = hmac.digest(concord().settings.key_pepper(), b"audit file " + body.encode(), sha256).hex()
    answer = Response(f"{body}signature,{signature}\r\n", content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = 'attachment; filename="audit.csv"'
    return answer


def _csv(found: Sequence[AuditRow]) -> str:
    out = StringIO()
    written = csv.writer(out)
    written.writerow(("n", "at", "principal", "action", "domain", "subjects", "fields", "request", "outcome", "detail"))
    for row in found:
        subjects, fields = " ".join(map(str, row.subjects)), " ".join(row.fields)
        detail = dumps(row.detail).decode()
        cells = (row.principal, row.action, row.domain or "", subjects, fields, row.request_id, row.outcome, detail)
        written.writerow((row.n, row.at.isoformat(), *map(_harmless, cells)))
    return out.getvalue()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def emergency(problem: str = "", status: int = HTTPStatus.OK) -> Page:
    policy.check(actor(), Verb.AUDIT)
    found = database().run(lambda session: audit_reading.glasses(session, actor()))
    return show("emergency", status, section="ui.audit", glasses=found, problem=problem)


def sign_off(glass_id: str) -> Response | Page:
    policy.check(actor(), Verb.AUDIT)
    wanted = uuid_of(glass_id)

    def act() -> None:
        database().run(lambda session: glass.review(session, actor(), wanted))

    return forms.done(act, url_for("ui.audit_emergency"), emergency)
