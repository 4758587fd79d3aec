"""The sign-off report of a load, filled from what is stored: its numbers are those that SQL gives."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import load_samples, loads
from mdm.access import Actor
from mdm.db import fetch
from mdm.entities import ENTITY_TYPES
from mdm.errors import Conflict
from mdm.jsonio import canonical
from mdm.load_report import LoadReport, ReportAct, ReportColumn, ReportFile, ReportSample, ReportStep
from mdm.load_steps import read_step
from mdm.loads import LoadView
from mdm.mask import line


def sign_off(session: Session, actor: Actor, load_id: UUID, request_id: str = "") -> LoadReport:
    """Raises NotFound, or Conflict for a load that has no plan yet."""
    view = load_samples.seen(session, actor, loads.get(session, actor, load_id), request_id)
    if view.plan is None or view.counts is None:
        raise Conflict("this load has no plan yet: there is nothing to report")
    report, fingerprint = view.plan["report"], view.plan["fingerprint"]
    steps = [read_step(step) for step in view.options["steps"]]
    rejects = fetch(session, _REJECTS, (view.plan_id,))
    return LoadReport(
        load_id=str(view.id),
        plan_id=str(view.plan_id),
        title=f"{ENTITY_TYPES[view.domain].label} of {view.system}",
        state=view.status,
        made_at=fetch(session, "select now()")[0][0],
        files=(_file(view, sum(view.counts.values()) - view.counts["absent"]),),
        columns=tuple(ReportColumn(column, target) for target, column in view.options["columns"]),
        steps=tuple(ReportStep(step.title, report.get("steps", {}).get(step.title, 0), step.on) for step in steps),
        planned=view.counts,
        applied=view.applied or {},
        rejects=dict(rejects),
        template_version=str(view.template or ""),
        model_version=str(fingerprint.get("model", "")),
        thresholds=report.get("thresholds", {}),
        fingerprint=canonical(fingerprint).decode(),
        samples=tuple(_sample(view, outcome, each) for outcome, kept in report.get("samples", {}).items() for each in kept),
        acts=_acts(session, view),
        open_reviews=_open_reviews(session, view),
        guards=tuple(f"{rail['code']}: {rail['message']} ({rail['count']})" for rail in report.get("guard_rails", ())),
    )


def _file(view: LoadView, rows: int) -> ReportFile:
    reading = view.options["reading"]
    kind = view.name.rpartition(".")[2].lower()
    encoding, delimiter, sheet = (reading[name] or "" for name in ("encoding", "delimiter", "sheet"))
    return ReportFile(view.name, kind, view.domain, view.system, rows, view.bytes, view.sha256, encoding, delimiter, sheet)


_REJECTS = (
    "select p ->> 'code', count(distinct r.no) from load_row r, jsonb_array_elements(r.detail -> 'problems') p"
    " where r.plan_id = %s and coalesce(r.became, r.planned) = 'rejected' group by 1 order by 2 desc, 1"
)


def _sample(view: LoadView, outcome: str, sample: dict[str, Any]) -> ReportSample:
    if "problems" in sample:
        text = "; ".join(f"{each['column']}: {each['fix']}" if each["column"] else each["fix"] for each in sample["problems"])
    else:
        text = line(ENTITY_TYPES[view.domain], sample.get("values", {}))
    return ReportSample(outcome, sample["row"], sample.get("golden_id") or "", text)


def _acts(session: Session, view: LoadView) -> tuple[ReportAct, ...]:
    rows = fetch(
        session,
        "select action, principal, at, coalesce(detail ->> 'reason', '') from audit where action like 'load:%%'"
        " and detail ->> 'load' = %s order by n",
        (str(view.id),),
    )
    return tuple(ReportAct(action.partition(":")[2], who, at, why) for action, who, at, why in rows)


def _open_reviews(session: Session, view: LoadView) -> int:
    """Tasks that are open about a golden record to which a row of the load belongs."""
    return int(
        fetch(
            session,
            "select count(distinct t.id) from load_row x join link l on l.record_id = x.record_id and l.recorded_to is null"
            " join task t on t.goldens @> array[l.golden_id] and t.status = 'open' where x.plan_id = %s and x.became is not null",
            (view.plan_id,),
        )[0][0]
    )
