"""The first page: per domain how much there is, and how much work waits. Counts only, hence nothing of anybody."""

from dataclasses import dataclass
from typing import LiteralString

from flask import Blueprint, render_template
from sqlalchemy.orm import Session

from api.context import actor, concord, database
from mdm import policy
from mdm.access import Actor, Verb
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


@dataclass(frozen=True, slots=True)
class Counts:
    """One domain's line."""

    entity: EntityType
    sources: int
    goldens: int
    tasks: int


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/", "overview", overview, methods=["GET"])


def overview() -> str:
    counts = database().run(lambda session: read_counts(session, actor()))
    return render_template("overview.html", counts=counts, waiting=sum(each.tasks for each in counts))


def read_counts(session: Session, reader: Actor) -> list[Counts]:
    """A line for each domain that the reader may read."""
    systems = None if reader.systems is None else sorted(reader.systems)
    domains = sorted(policy.domains(reader, Verb.READ))
    rows = fetch(session, _COUNTS, {"domains": domains, "systems": systems})
    return [Counts(concord().entities[domain], *counted) for domain, *counted in rows]
