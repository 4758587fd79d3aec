"""The audit: who did or read what, by person, act and record; as a file; and emergency access that somebody else signs off."""

import csv
import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from hashlib import sha256
from http import HTTPStatus
from io import StringIO
from uuid import UUID

from flask import Blueprint, request, stream_with_context, url_for
from werkzeug.wrappers import Response

from api.context import actor, concord, database, request_id, uuid_of
from mdm import audit_reading, glass, policy
from mdm.access import Verb
from mdm.audit_reading import PAGE, AuditRow, Wanted
from mdm.errors import Invalid
from mdm.jsonio import dumps
from mdm.load_formulas import neutralise
from mdm.values.kind import clean_text
from stewardship_ui import forms
from stewardship_ui.guard import check_fresh
from stewardship_ui.rendering import Page, show

FILE_PAGE = 5_000
_COLUMNS = ("n", "at", "principal", "action", "domain", "subjects", "fields", "request", "outcome", "detail")


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
    """All rows as CSV, formulas made harmless, with a last line that signs all lines above it: HMAC-SHA256 under the server's pepper.

    A file that broke off has no such line.
    """
    policy.check(actor(), Verb.AUDIT)
    check_fresh()
    wanted = _wanted(request.args)
    first = _read(wanted)
    answer = Response(stream_with_context(_signed(wanted, first)), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = 'attachment; filename="audit.csv"'
    return answer


def _read(wanted: Wanted) -> list[AuditRow]:
    return database().run(lambda session: audit_reading.read(session, actor(), wanted, request_id(), limit=FILE_PAGE))


def _signed(wanted: Wanted, page: list[AuditRow]) -> Iterator[bytes]:
    """Page by page, each read in a transaction of its own that is over before its lines go out."""
    signer = hmac.new(concord().settings.key_pepper(), b"audit file ", sha256)
    part = _csv([_COLUMNS])
    while True:
        part += _csv(map(_cells, page))
        signer.update(part)
        yield part
        if len(page) < FILE_PAGE:
            break
        page, part = _read({**wanted, "before": page[-1].n}), b""
    yield f"signature,{signer.hexdigest()}\r\n".encode()


def _csv(rows: Iterable[Sequence[object]]) -> bytes:
    out = StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def _cells(row: AuditRow) -> Sequence[object]:
    subjects, fields = " ".join(map(str, row.subjects)), " ".join(row.fields)
    detail = dumps(row.detail).decode()
    told = (row.principal, row.action, row.domain or "", subjects, fields, row.request_id, row.outcome, detail)
    return row.n, row.at.isoformat(), *map(neutralise, told)


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
