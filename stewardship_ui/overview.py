"""The first page: per domain how much there is, and how much work waits. Counts only, hence nothing of anybody."""

from http import HTTPStatus
from typing import LiteralString

from flask import Blueprint, redirect, render_template, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from api.context import actor, concord, database
from mdm import policy, worklist
from mdm.access import Verb
from mdm.db import fetch
from mdm.entity import EntityType

# Somebody whose scope is some systems counts what these systems contribute to: other organisations do not exist for them.
_COUNTS: LiteralString = """
with seen(id) as (select distinct l.golden_id from source_record r join link l on l.record_id = r.id and l.recorded_to is null
                   where r.system = any(%(systems)s::text[]))
select d.domain,
       (select count(*) from source_record s where s.domain = d.domain and (%(systems)s::text[] is null or s.system = any(%(systems)s))),
       (select count(*) from golden_record g where g.domain = d.domain and g.status = 'active'
           and (%(systems)s::text[] is null or g.id in (select id from seen))),
       (select count(*) from task t where t.domain = d.domain and t.status = 'open'
           and (%(systems)s::text[] is null or t.goldens <@ (select array_agg(id) from seen)))
  from unnest(%(domains)s::text[]) d(domain) order by d.domain
"""


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/approvals", "approvals", approvals, methods=["GET"])
    blueprint.add_url_rule("/", "overview", overview, methods=["GET"])


def approvals() -> Response:
    """What waits for a second person is a view of the work list."""
    return redirect(url_for("ui.tasks", waits="approval"), HTTPStatus.SEE_OTHER)


def overview() -> str:
    counts = database().run(_counts)
    may_decide = policy.can(actor(), Verb.DECIDE)
    work = database().run(lambda session: worklist.own(session, actor())) if may_decide else None
    return render_template("overview.html", counts=counts, waiting=sum(tasks for *_, tasks in counts), work=work)


def _counts(session: Session) -> list[tuple[EntityType, int, int, int]]:
    """Source records, golden records and open tasks of each domain that the reader may read."""
    scope = actor().systems
    domains, systems = sorted(policy.domains(actor(), Verb.READ)), None if scope is None else sorted(scope)
    rows = fetch(session, _COUNTS, {"domains": domains, "systems": systems})
    return [(concord().entities[domain], sources, goldens, tasks) for domain, sources, goldens, tasks in rows]
