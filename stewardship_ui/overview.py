"""Home: what waits for this person, how the team does, loads under way, how much there is. Counts only: nothing of anybody."""

import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, LiteralString

from flask import Blueprint, redirect, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from api.context import actor, concord, database
from mdm import measures, policy, worklist
from mdm.access import Verb
from mdm.db import address, fetch
from mdm.entity import EntityType
from mdm.loads import LoadView, list_loads
from mdm.measures import Window
from mdm.today import Today, today
from stewardship_ui import charts
from stewardship_ui.loads import STATES
from stewardship_ui.quality import flow_drawing
from stewardship_ui.rendering import Page, show

_LATELY = 14
_LOADS = 5
_NARROW = 460  # beside the other column

_TOTALS_SECONDS, _TOTALS_MAX = 30, 1_000
Totals = dict[str, tuple[int, int]]

# Somebody whose scope is some systems counts what these systems contribute to: other organisations do not exist for them.
_COUNTS: LiteralString = """
with seen(id) as (select distinct l.golden_id from source_record r join link l on l.record_id = r.id and l.recorded_to is null
                   where r.system = any(%(systems)s::text[]))
select d.domain,
       (select count(*) from source_record s where s.domain = d.domain and (%(systems)s::text[] is null or s.system = any(%(systems)s))),
       (select count(*) from golden_record g where g.domain = d.domain and g.status = 'active'
           and (%(systems)s::text[] is null or g.id in (select id from seen)))
  from unnest(%(domains)s::text[]) d(domain)
"""
_known: dict[object, tuple[float, Totals]] = {}  # counting millions for every look at a page would be most of its work


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/", "overview", overview, methods=["GET"])
    blueprint.add_url_rule("/approvals", "approvals", approvals, methods=["GET"])


def approvals() -> Response:
    """What waits for a second person is a view of the work list."""
    return redirect(url_for("ui.tasks", waits="approval"), HTTPStatus.SEE_OTHER)


@dataclass(frozen=True, slots=True)
class Team:
    """How work came and went lately, and in how many days the backlog is gone."""

    drawing: charts.Drawing
    flow: list[measures.Day]
    clear: float | None


def overview() -> Page:
    counts, day, team, loaded = database().run(lambda s: (_counts(s), _day(s), _team(s), _loads(s)))
    waiting = sum(tasks for *_, tasks in counts)
    labels = {name: entity.label for name, entity in concord().entities.items()}
    context: dict[str, Any] = {"counts": counts, "waiting": waiting, "day": day, "team": team, "loads": loaded}
    return show("overview", labels=labels, states=STATES, **context)


def _day(session: Session) -> Today | None:
    return today(session, actor()) if policy.can(actor(), Verb.DECIDE) else None


def _team(session: Session) -> Team | None:
    """Of all systems together, hence not for somebody who sees some of them."""
    domains = policy.domains(actor(), Verb.READ)
    if not domains or actor().systems is not None:
        return None
    flow = measures.flow(session, Window(sorted(domains), None, _LATELY))
    return Team(flow_drawing(flow, _NARROW), flow, measures.days_to_clear(flow))


def _loads(session: Session) -> list[LoadView]:
    return list_loads(session, actor(), limit=_LOADS) if policy.can(actor(), Verb.LOAD) else []


def _counts(session: Session) -> list[tuple[EntityType, int, int, int]]:
    """Source records, golden records and open tasks of each domain that the reader may read."""
    domains, tasks = sorted(policy.domains(actor(), Verb.READ)), worklist.open_counts(session, actor())
    totals = _totals(session, domains, actor().systems)
    return [(concord().entities[domain], *totals[domain], tasks.get(domain, 0)) for domain in domains]


def _totals(session: Session, domains: list[str], scope: frozenset[str] | None) -> Totals:
    """Records and golden records of each domain, at most half a minute old."""
    asked = (address(session), tuple(domains), scope)
    known = _known.get(asked)
    if known is not None and time.monotonic() - known[0] < _TOTALS_SECONDS:
        return known[1]
    rows = fetch(session, _COUNTS, {"domains": domains, "systems": None if scope is None else sorted(scope)})
    found = {domain: (sources, goldens) for domain, sources, goldens in rows}
    if len(_known) >= _TOTALS_MAX:
        _known.clear()
    _known[asked] = (time.monotonic(), found)
    return found


def forget_totals() -> None:
    """Count again at the next look."""
    _known.clear()
