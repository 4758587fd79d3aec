"""Every figure of the quality pages: what it means in words, and the one statement that counts it. Nothing counts elsewhere.

Days are days in UTC. `domains` are those that the reader may read; `systems` cuts to a reader's scope where a figure is of systems. Figures
of tasks, pairs, decisions and rules are of all systems together, hence for readers whose scope is all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby
from math import sqrt
from typing import Any, LiteralString

from sqlalchemy.orm import Session

from mdm.control import BASELINE_DAYS, BASELINE_MIN, Count
from mdm.db import Row, fetch

_Z95 = 1.959964  # the normal distribution's 97.5 % point
PAUSE_SECONDS = 600  # a longer gap between two decisions is a pause


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure: its title, its definition, and what counts it."""

    title: str
    definition: str
    statement: LiteralString


@dataclass(frozen=True, slots=True)
class Window:
    """What a figure is of: domains, systems (None: all), and the last so many days, today among them."""

    domains: Sequence[str]
    systems: Sequence[str] | None
    days: int = 30

    def params(self) -> Mapping[str, Any]:
        systems = None if self.systems is None else sorted(self.systems)
        return {"domains": sorted(self.domains), "systems": systems, "days": self.days, "pause": PAUSE_SECONDS}


_SCOPE: LiteralString = "(%(systems)s::text[] is null or r.system = any(%(systems)s))"
_SINCE: LiteralString = "(((now() at time zone 'utc')::date - %(days)s + 1)::timestamp at time zone 'utc')"

MEASURES: Mapping[str, Measure] = {
    "duplicates": Measure(
        "Duplicate rate by domain and system",
        "Active source records of one system that share their golden record with another active one of the same system: each beyond the"
        " first is a duplicate. The rate is duplicates by records.",
        "select r.domain, r.system, count(*), count(*) - count(distinct l.golden_id) from source_record r"
        " join link l on l.record_id = r.id and l.recorded_to is null where r.status = 'active' and r.domain = any(%(domains)s) and "
        + _SCOPE
        + " group by 1, 2 order by 1, 2",
    ),
    "flow": Measure(
        "Arrivals, resolved, backlog",
        "Tasks opened on a day, tasks closed on it (settled, or obsolete because what they asked is no longer so), tasks open at its end.",
        "with d as (select generate_series((now() at time zone 'utc')::date - %(days)s + 1, (now() at time zone 'utc')::date,"
        " interval '1 day')::date as day), a as (select (created_at at time zone 'utc')::date as day, count(*) as n from task"
        " where domain = any(%(domains)s) group by 1), c as (select (closed_at at time zone 'utc')::date as day, count(*) as n from task"
        " where domain = any(%(domains)s) and closed_at is not null group by 1)"
        " select d.day, coalesce(a.n, 0), coalesce(c.n, 0), (coalesce((select sum(n) from a where a.day <= d.day), 0)"
        " - coalesce((select sum(n) from c where c.day <= d.day), 0))::int8"
        " from d left join a using (day) left join c using (day) order by d.day",
    ),
    "weights": Measure(
        "Weights of pairs by outcome",
        "Pairs of records that were found at or above the review threshold or judged by a person, by weight in whole bits (7 is 7.0 to"
        " 7.9). Linked: both stand in one golden record, by the machine or through others. Open: they stand apart and nobody has said.",
        "select floor(e.weight)::int, coalesce(e.verdict, case when a.golden_id = b.golden_id then 'linked' else 'open' end), count(*)"
        " from edge e join source_record r on r.id = e.low left join link a on a.record_id = e.low and a.recorded_to is null"
        " left join link b on b.record_id = e.high and b.recorded_to is null where r.domain = any(%(domains)s) group by 1, 2 order by 1, 2",
    ),
    "what_if": Measure(
        "What other thresholds would do",
        "Stored pairs that no person has judged, by where their weight would fall. Vetoes, ambiguity and clusters are left out, and pairs"
        " below the present review threshold are not stored: a model's own page counts all of it.",
        "select count(*) filter (where e.weight >= %(link)s), count(*) filter (where e.weight >= %(review)s and e.weight < %(link)s),"
        " count(*) filter (where e.weight < %(review)s) from edge e join source_record r on r.id = e.low"
        " where e.verdict is null and r.domain = any(%(domains)s)",
    ),
    "overturned_by_person": Measure(
        "Overturn rate by person and kind",
        "Decisions of the period, and how many of them were taken back since, by whomever. The rate is taken back by decided.",
        "select d.actor, d.kind, count(*), count(u.id) from decision d left join decision u on u.revokes = d.id"
        " where d.revokes is null and d.domain = any(%(domains)s) and d.created_at >= " + _SINCE + " group by 1, 2 order by 1, 2",
    ),
    "overturned_by_band": Measure(
        "Overturn rate by weight",
        "The same by the weight of the strongest pair that was decided, in bands of two bits: where the evidence misleads people.",
        "select (floor(w.weight / 2) * 2)::int, count(*), count(u.id) from decision d left join decision u on u.revokes = d.id"
        " join lateral (select max(e.weight) as weight from judgement j join edge e on e.low = j.low and e.high = j.high"
        " where j.decision_id = d.id) w on w.weight is not null"
        " where d.revokes is null and d.domain = any(%(domains)s) and d.created_at >= " + _SINCE + " group by 1 order by 1",
    ),
    "throughput": Measure(
        "Decisions per steward",
        "Decisions of the period, days on which there was one, and the median time between two of the same person that lie at most ten"
        " minutes apart.",
        "with g as (select actor, created_at, extract(epoch from created_at - lag(created_at) over (partition by actor order by"
        " created_at)) as gap from decision where revokes is null and domain = any(%(domains)s) and created_at >= "
        + _SINCE
        + ") select actor, count(*), count(distinct (created_at at time zone 'utc')::date),"
        " (percentile_cont(0.5) within group (order by gap) filter (where gap <= %(pause)s))::float8 from g group by 1 order by 2 desc, 1",
    ),
    "precision": Measure(
        "Precision of automatic links",
        "Pairs that the machine linked, drawn at random each week and judged by people who did not see the weight. Precision is same by"
        " same and different; the interval is Wilson's at 95 %. Unsure ones are left out of it and shown.",
        "select domain, count(*) filter (where verdict = 'same'), count(*) filter (where verdict = 'different'),"
        " count(*) filter (where verdict = 'unsure'), count(*) filter (where verdict is null) from link_sample"
        " where domain = any(%(domains)s) and created_at >= " + _SINCE + " group by 1 order by 1",
    ),
    "stale_mappings": Measure(
        "Stale mapping rules",
        "Approved rules by set: those whose last day is past (they answer nothing more) and those that end within 30 days.",
        "select set_code, count(*), count(*) filter (where valid_to < current_date),"
        " count(*) filter (where valid_to >= current_date and valid_to < current_date + 30)"
        " from mapping_rule where status = 'approved' group by 1 order by 3 desc, 4 desc, 1",
    ),
    "misses": Measure(
        "Misses",
        "Values that lookups asked for in vain and nobody has settled: how many, how often they were asked, since when.",
        "select r.domain, r.system, count(*), sum(r.count)::int8, min(r.first_seen), max(r.last_seen) from miss r"
        " where r.status = 'open' and r.domain = any(%(domains)s) and " + _SCOPE + " group by 1, 2 order by 4 desc, 1, 2",
    ),
    "due": Measure(
        "Due times kept",
        "Tasks closed in the period that had a due time: how many were closed by then; and tasks that are open past it now.",
        "select domain, count(*) filter (where closed_at >= " + _SINCE + "), count(*) filter (where closed_at >= " + _SINCE + " and"
        " closed_at <= due_at), count(*) filter (where status = 'open' and due_at < now()) from task"
        " where domain = any(%(domains)s) group by 1 order by 1",
    ),
    "loads": Measure(
        "Loads by system",
        "Files uploaded in the period: how many were applied, how many undone, rows planned, and the share of them that was rejected.",
        "select r.domain, r.system, count(*), count(*) filter (where r.status in ('applied', 'applying')),"
        " count(*) filter (where r.status in ('undone', 'undoing')), coalesce(sum(c.rows), 0)::int8, coalesce(sum(c.rejected), 0)::int8"
        " from load r left join load_count c on c.plan_id = r.plan_id and c.stage = 'plan' where r.domain = any(%(domains)s) and "
        + _SCOPE
        + " and r.created_at >= "
        + _SINCE
        + " group by 1, 2 order by 1, 2",
    ),
    "drifted": Measure(
        "Sources that changed their mind",
        "Open tasks of kind drift, those that rest among them, by rule, domain and system of the records that changed. A task whose records"
        " are of two systems counts in both.",
        "select t.detail ->> 'rule', t.domain, r.system, count(distinct t.id), min(t.created_at) from task t"
        " join source_record r on r.id = any(t.records) and coalesce(t.detail -> 'changed' ? r.id::text, true)"
        " where t.status = 'open' and t.kind = 'drift' and t.domain = any(%(domains)s) and "
        + _SCOPE
        + " group by 1, 2, 3 order by 5, 1, 2",
    ),
    "filled": Measure(
        "Deliveries with a value",
        "Of the deliveries of a day that said something new, withdrawals left out, the share whose value of a field is clean and there."
        f" Expected is what lies within three standard errors of the share over the {BASELINE_DAYS} days before, where at least"
        f" {BASELINE_MIN} of them had deliveries: the fewer deliveries a day has, the wider. Days are days in UTC.",
        # Whoever accepts an update that was held back moves it to that day; a rejected one was delivered all the same. Without `offset 0`
        # a delivery would be taken apart once per field.
        "select r.system, (v.recorded_at at time zone 'utc')::date, count(*) /* fields */ from (select record_id, recorded_at,"
        " clean -> 'attributes' as said from source_record_version where status = 'active' and recorded_at >= "
        + _SINCE
        + " offset 0) v join source_record r on r.id = v.record_id where r.domain = any(%(domains)s) and "
        + _SCOPE
        + " group by 1, 2 order by 1, 2",
    ),
    "emergency": Measure(
        "Emergency access",
        "Times in the period that somebody opened emergency access, and those that nobody has signed off yet.",
        "select principal, count(*), count(*) filter (where reviewed_at is null) from break_glass"
        " where domain = any(%(domains)s) and opened_at >= " + _SINCE + " group by 1 order by 2 desc, 1",
    ),
}


def rows(session: Session, name: str, window: Window, **more: float) -> list[Row]:
    """What the statement of this measure says now."""
    return fetch(session, MEASURES[name].statement, {**window.params(), **more})


@dataclass(frozen=True, slots=True)
class Duplicates:
    domain: str
    system: str
    records: int
    duplicates: int

    @property
    def rate(self) -> float:
        return self.duplicates / self.records if self.records else 0.0


@dataclass(frozen=True, slots=True)
class Day:
    day: date
    arrived: int
    resolved: int
    backlog: int


@dataclass(frozen=True, slots=True)
class Overturned:
    """Decisions and those of them that were taken back; `what` is a person and a kind, or a band."""

    what: tuple[Any, ...]
    decided: int
    undone: int

    @property
    def rate(self) -> float:
        return self.undone / self.decided if self.decided else 0.0


@dataclass(frozen=True, slots=True)
class Pace:
    actor: str
    decided: int
    days: int
    median_seconds: float | None


@dataclass(frozen=True, slots=True)
class Precision:
    """Judged pairs of one domain; `low` and `high` bound the precision."""

    domain: str
    same: int
    different: int
    unsure: int
    waiting: int

    @property
    def interval(self) -> tuple[float, float] | None:
        return wilson(self.same, self.same + self.different)

    @property
    def value(self) -> float | None:
        judged = self.same + self.different
        return self.same / judged if judged else None


@dataclass(frozen=True, slots=True)
class Missed:
    domain: str
    system: str
    values: int
    asked: int
    since: datetime
    last: datetime


def wilson(good: int, total: int) -> tuple[float, float] | None:
    """Wilson's score interval of a share at 95 %: honest for few and for extreme counts. None for nothing."""
    if not total:
        return None
    share, square = good / total, _Z95 * _Z95 / total
    centre, spread = share + square / 2, _Z95 * sqrt(share * (1 - share) / total + square / (4 * total))
    return max(0.0, (centre - spread) / (1 + square)), min(1.0, (centre + spread) / (1 + square))


def days_to_clear(flow: Sequence[Day], over: int = 14) -> float | None:
    """The backlog by what was resolved a day lately, net of what arrived; None where it does not shrink."""
    lately = flow[-over:]
    pace = sum(day.resolved - day.arrived for day in lately) / len(lately) if lately else 0.0
    if not flow or flow[-1].backlog == 0:
        return 0.0
    return flow[-1].backlog / pace if pace > 0 else None


def duplicates(session: Session, window: Window) -> list[Duplicates]:
    return [Duplicates(*row) for row in rows(session, "duplicates", window)]


def flow(session: Session, window: Window) -> list[Day]:
    return [Day(*row) for row in rows(session, "flow", window)]


def overturned(session: Session, name: str, window: Window) -> list[Overturned]:
    return [Overturned(tuple(row[:-2]), row[-2], row[-1]) for row in rows(session, name, window)]


def pace(session: Session, window: Window) -> list[Pace]:
    return [Pace(*row) for row in rows(session, "throughput", window)]


def precision(session: Session, window: Window) -> list[Precision]:
    return [Precision(*row) for row in rows(session, "precision", window)]


def misses(session: Session, window: Window) -> list[Missed]:
    return [Missed(*row) for row in rows(session, "misses", window)]


@dataclass(frozen=True, slots=True)
class Split:
    """Stored pairs without a verdict: how many would link, be reviewed, stay apart."""

    link: int
    review: int
    apart: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """The files of one system about one domain."""

    domain: str
    system: str
    files: int
    applied: int
    undone: int
    planned: int
    rejected: int


def loaded(session: Session, window: Window) -> list[Loaded]:
    return [Loaded(*row) for row in rows(session, "loads", window)]


def split(session: Session, window: Window, review: float, link: float) -> Split:
    return Split(*rows(session, "what_if", window, review=review, link=link)[0])


@dataclass(frozen=True, slots=True)
class Drifted:
    """Open questions of one rule about one system."""

    rule: str
    domain: str
    system: str
    tasks: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Feed:
    """One field of one system, day by day."""

    system: str
    attribute: str
    counts: Sequence[Count]


def drifted(session: Session, window: Window) -> list[Drifted]:
    return [Drifted(*row) for row in rows(session, "drifted", window)]


def filled(session: Session, window: Window, attributes: Sequence[str]) -> list[Feed]:
    """The days of the window, and before them those that say what is usual."""
    # A column per field: a row per delivery and field would be twenty times as many to group
    columns = "".join(f", count(*) filter (where v.said ? %(field_{place})s)" for place in range(len(attributes)))
    statement = MEASURES["filled"].statement.replace("/* fields */", columns)
    wider = replace(window, days=window.days + BASELINE_DAYS)
    params = {**wider.params(), **{f"field_{place}": name for place, name in enumerate(attributes)}}
    feeds = groupby(fetch(session, statement, params), key=lambda row: str(row[0]))
    return [feed for system, days in feeds for feed in _feeds(system, attributes, list(days))]


def _feeds(system: str, attributes: Sequence[str], days: Sequence[Row]) -> list[Feed]:
    """Out of days as (system, day, deliveries, filled per attribute)."""
    return [Feed(system, name, [Count(day[1], day[place], day[2]) for day in days]) for place, name in enumerate(attributes, 3)]
