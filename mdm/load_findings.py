"""What a plan says: counts, samples, guard rails, what other thresholds would do, the work and the consumers it means."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, LiteralString
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from matching.arrays import Rows
from mdm.consumers import affected
from mdm.db import execute, fetch
from mdm.jsonio import dumps
from mdm.load_former import WHOLE
from mdm.load_profile import unsettled
from mdm.load_rows import Row
from mdm.load_same import ALL_ROWS, count_same
from mdm.load_source import Source
from mdm.load_stage import Staged
from mdm.load_staged import Fact
from mdm.load_verdicts import DECIDED, REVIEW, Matched, Verdict
from mdm.models import current_scorer

OUTCOMES = ("new", "linked", "review", "updated", "unchanged", "rejected")
COUNTS = (*OUTCOMES, "absent")
SAMPLES_MAX = 10
REVIEW_SECONDS = 60  # what one review takes a steward, as long as nobody has measured it here
REJECTED_MAX = 0.05
ROWS_PER_GOLDEN_MAX = 5
VOLUME_CHANGE_MAX = 0.5
_GOLDENS_ASKED = 20_000  # of whom it is asked which consumers know them
_STEPS_BITS = (-4, -2, 0, 2, 4)


@dataclass(frozen=True, slots=True)
class Sample:
    """A row that stands for others of its outcome."""

    fact: Fact
    verdict: Verdict | None
    row: Row | None


@dataclass(frozen=True, slots=True)
class Rail:
    """A guard rail that the plan hits. While one does, the plan is applied only by who names its code."""

    code: str
    count: int
    limit: float
    message: str


@dataclass(frozen=True, slots=True)
class Making:
    """All that is known at the end of a plan."""

    load_id: UUID
    plan_id: UUID
    source: Source
    matched: Matched
    staged: Staged
    samples: Mapping[str, Sequence[Sample]]
    seconds: float


def conclude(session: Session, making: Making) -> None:
    """Count, judge, and make this the load's plan."""
    began = time.monotonic()
    entity, matched = making.source.entity, making.matched
    counts = _count(session, making)
    rails = _rails(session, making, counts)
    scorer = current_scorer(session, entity)
    goldens = [row[0] for row in fetch(session, _TOUCHED, (making.plan_id, _GOLDENS_ASKED))]
    report: dict[str, Any] = {
        "guard_rails": [asdict(rail) for rail in rails],
        "samples": {**_unchanged(session, making.plan_id), **_samples(session, making.samples)},
        "rejects": [{"code": code, "column": column, "rows": rows} for code, column, rows in fetch(session, _REJECTS, (making.plan_id,))],
        "notes": [{"note": note, "rows": rows} for note, rows in fetch(session, _NOTES, (making.plan_id,))],
        "header": list(making.staged.header),
        "steps": dict(making.staged.applied),
        "of_rejects": making.staged.of_rejects,
        "findings": [asdict(finding) for finding in making.staged.findings],
        "thresholds": {"review": scorer.model.thresholds.review, "link": scorer.model.thresholds.link},
        "simulation": _simulation(matched, scorer.model.thresholds.review, scorer.model.thresholds.link),
        "golden_merges": len(matched.merges),
        "merges": [[str(golden) for golden in goldens] for goldens in matched.merges[:SAMPLES_MAX]],
        "pairs": matched.pairs,
        "expected_false_links": matched.expected_false_links,
        "steward_hours": _steward_hours(matched, counts["review"]),
        "consumers": [asdict(each) for each in affected(session, entity.name, goldens)],
        "difference": _difference(session, making),
        "seconds": round(making.seconds + time.monotonic() - began, 2),
    }
    _keep(session, making.load_id, making.plan_id, scorer.model.version, report, blocked=bool(rails))


def conclude_same(session: Session, load_id: UUID, plan_id: UUID, same: UUID) -> None:
    """The same bytes, read in the same way, were loaded before, and nothing has changed since: there is nothing to do."""
    execute(session, _SAME_COUNTS, {"plan": plan_id, "same": same})
    execute(session, "update load set same_as = %s where id = %s", (same, load_id))
    _keep(session, load_id, plan_id, "", {"same_as": str(same), "guard_rails": [], "samples": {}, "seconds": 0.0}, blocked=False)


_SAME_COUNTS: LiteralString = (
    "insert into load_count (plan_id, stage, rows, unchanged, rejected, absent) select %(plan)s, 'plan', c.rows, c.rows - c.rejected,"
    " c.rejected, c.absent from load l join load_count c on c.plan_id = l.plan_id and c.stage = 'plan' where l.id = %(same)s"
)
_TOUCHED: LiteralString = (
    "select distinct golden_id from load_row where plan_id = %s and golden_id is not null and planned <> 'unchanged' limit %s"
)
_REJECTS: LiteralString = (
    "select p ->> 'code', p ->> 'column', count(distinct r.no) from load_row r, jsonb_array_elements(r.detail -> 'problems') p"
    " where r.plan_id = %s and r.planned = 'rejected' group by 1, 2 order by 3 desc, 1, 2 limit 50"
)
_NOTES: LiteralString = (
    "select n, count(*) from load_row r, jsonb_array_elements_text(r.detail -> 'notes') n"
    " where r.plan_id = %s and r.detail ? 'notes' group by 1 order by 2 desc, 1 limit 50"
)


def _count(session: Session, making: Making) -> dict[str, int]:
    found = Counter[str](dict(fetch(session, "select planned, count(*) from load_row where plan_id = %s group by 1", (making.plan_id,))))
    found["unchanged"] += count_same(session, making.plan_id)
    absent = fetch(session, _ABSENT, (making.source.entity.name, making.source.system, making.plan_id))[0][0]
    counts = {**{name: found[name] for name in OUTCOMES}, "absent": int(absent)}
    write_counts(session, making.plan_id, "plan", counts)
    return counts


# As sets: whatever the planner believes of the rows, it sorts or hashes them once. A row that is rejected names its key all the same.
_ABSENT: LiteralString = (
    "select count(*) from (select key collate \"C\" from source_record where domain = %s and system = %s and status = 'active'"
    ' except select key collate "C" from ' + ALL_ROWS + " where plan_id = %s) gone"
)


def write_counts(session: Session, plan_id: UUID, stage: str, counts: Mapping[str, int]) -> None:
    """The outcomes of all rows; the database refuses them unless they make up the rows."""
    given = {name: counts.get(name, 0) for name in (*COUNTS, "waiting")}
    rows = fetch(session, "select count(*) from load_row where plan_id = %s", (plan_id,))[0][0] + count_same(session, plan_id)
    execute(
        session,
        "insert into load_count (plan_id, stage, rows, new, linked, review, updated, unchanged, rejected, absent, waiting) values"
        " (%(plan)s, %(stage)s, %(rows)s, %(new)s, %(linked)s, %(review)s, %(updated)s, %(unchanged)s, %(rejected)s, %(absent)s,"
        " %(waiting)s)"
        " on conflict (plan_id, stage) do update set rows = excluded.rows, new = excluded.new, linked = excluded.linked,"
        " review = excluded.review, updated = excluded.updated, unchanged = excluded.unchanged, rejected = excluded.rejected,"
        " absent = excluded.absent, waiting = excluded.waiting",
        {"plan": plan_id, "stage": stage, "rows": rows, **given},
    )


def _rails(session: Session, making: Making, counts: Mapping[str, int]) -> list[Rail]:
    rows = sum(counts[name] for name in OUTCOMES)
    twice = fetch(
        session,
        "select count(*) from load_row where plan_id = %s and planned = 'rejected'"
        " and detail -> 'problems' @> jsonb_build_array(jsonb_build_object('code', 'duplicate_key'))",
        (making.plan_id,),
    )[0][0]
    crowded = int(np.count_nonzero(np.bincount(making.matched.verdicts.units) > ROWS_PER_GOLDEN_MAX))
    shared = len(_claiming(making.matched))
    former = _former_rows(session, making)
    change = abs(rows - former) / former if former else 0.0
    checks = (
        (twice > 0, Rail("key_not_unique", twice, 0, "rows name a key that an earlier row has")),
        (
            rows > 0 and counts["rejected"] > rows * REJECTED_MAX,
            Rail("many_rejects", counts["rejected"], REJECTED_MAX, "too many rows are rejected"),
        ),
        (crowded > 0, Rail("many_rows_to_one", crowded, ROWS_PER_GOLDEN_MAX, "golden records would get too many rows of this one file")),
        (
            shared > 0,
            Rail("identifier_shared", shared, 0, "rows claim an exclusive identifier of somebody else, in the file or stored"),
        ),
        (change > VOLUME_CHANGE_MAX, Rail("volume_off", rows, VOLUME_CHANGE_MAX, "the number of rows differs much from the last load's")),
    )
    unchosen = (
        Rail(each.code, each.rows, 0, f"column {each.column}: {each.message}")
        for each in unsettled(making.staged.findings, making.source.steps)
    )
    return [*(rail for hit, rail in checks if hit), *unchosen]


def _former_rows(session: Session, making: Making) -> int:
    """How many rows the last load of the system had, 0 where there is nothing to compare with."""
    if making.staged.of_rejects:
        return 0
    rows = fetch(session, _FORMER_ROWS, (making.source.entity.name, making.source.system, making.load_id))
    return int(rows[0][0]) if rows else 0


# A file of which nothing could be taken says nothing of how many rows there are
_FORMER_ROWS: LiteralString = (
    "select c.rows from load o join load_plan p on p.id = o.plan_id" + WHOLE + " join load_count c on c.plan_id = p.id"
    " and c.stage = 'plan' and c.rows > c.rejected where o.domain = %s and o.system = %s and o.status = 'applied' and o.id <> %s"
    " order by o.applied_at desc limit 1"
)


def _claiming(matched: Matched) -> Rows:
    """The rows that claim an exclusive identifier of somebody else, as the verdicts stand."""
    return np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *matched.shared.values()]))


def _steward_hours(matched: Matched, reviews: int) -> float:
    """What reviews take, and questions of whom an identifier is where no review asks that already."""
    asked = np.count_nonzero(matched.verdicts.outcomes[_claiming(matched)] != REVIEW)
    return round((reviews + int(asked)) * REVIEW_SECONDS / 3600, 2)


def _simulation(matched: Matched, review: float, link: float) -> list[dict[str, float]]:
    """The outcomes of new rows, were the machine to link from other weights on; at the present one, those of the plan."""
    rows = _weights(matched)
    found = []
    for bits in _STEPS_BITS:
        at = max(review, link + bits)
        counts = Counter[str]()
        for (outcome, weight), count in rows.items():
            counts[_outcome_from(at, link, outcome, weight)] += count
        found.append({"link": at, **{outcome: counts[outcome] for outcome in ("linked", "review", "new")}})
    return found


def _weights(matched: Matched) -> dict[tuple[str, float], int]:
    """How many new rows have which outcome and weight."""
    verdicts, found = matched.verdicts, dict[tuple[str, float], int]()
    for place, outcome in enumerate(DECIDED):
        weights, counts = np.unique(verdicts.weights[matched.fresh & (verdicts.outcomes == place)], return_counts=True)
        found |= {(outcome, weight): count for weight, count in zip(weights.tolist(), counts.tolist(), strict=True)}
    return found


def _outcome_from(at: float, link: float, outcome: str, weight: float) -> str:
    """What a row would be if the machine linked from `at` on, not from `link`: only what its weight has decided changes."""
    if outcome == "linked" and link <= weight < at:
        return "review"
    if outcome == "review" and at <= weight < link:
        return "linked"
    return outcome


def _samples(session: Session, samples: Mapping[str, Sequence[Sample]]) -> dict[str, list[dict[str, Any]]]:
    return {outcome: [_sample(session, each) for each in kept] for outcome, kept in samples.items()}


def _unchanged(session: Session, plan_id: UUID) -> dict[str, list[dict[str, Any]]]:
    rows = fetch(
        session,
        "select w.no, w.key, l.golden_id from (select unnest(s.numbers) as no, unnest(s.keys) as key, unnest(s.records) as record_id from"
        " (select * from load_same where plan_id = %s order by no limit %s) s limit %s) w"
        " left join link l on l.record_id = w.record_id and l.recorded_to is null order by w.no",
        (plan_id, SAMPLES_MAX, SAMPLES_MAX),  # each piece has one at least
    )
    told = [{"row": no, "key": key, "golden_id": golden and str(golden), "weight": None} for no, key, golden in rows]
    return {"unchanged": told} if told else {}


def _sample(session: Session, sample: Sample) -> dict[str, Any]:
    fact, verdict, row = sample.fact, sample.verdict, sample.row
    golden = fact.golden_id if verdict is None else verdict.golden_id or verdict.beside
    told: dict[str, Any] = {"row": fact.no, "key": fact.key, "golden_id": golden and str(golden), "weight": verdict and verdict.weight}
    if fact.planned == "rejected" and fact.detail is not None:
        return {**told, "problems": fact.detail["problems"]}
    if row is None:
        return told
    values = row.standard.attributes
    before = _before(session, fact, golden)
    changed = sorted(name for name in {*before, *values} if before.get(name) != _plain(values.get(name))) if before else []
    differences = {name: [before.get(name), _plain(values.get(name))] for name in changed}
    return {**told, "values": dict(values), "differences": differences}


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _before(session: Session, fact: Fact, golden: UUID | None) -> Mapping[str, Any]:
    """What the record said before; of a new one, what the golden record says that it will join, or that a person is asked about."""
    if fact.before is not None:
        rows = fetch(session, "select clean -> 'attributes' from source_record where id = %s", (fact.record_id,))
    else:
        rows = fetch(session, 'select "values" from golden_version where golden_id = %s and recorded_to is null', (golden,))
    found: Mapping[str, Any] = rows[0][0] if rows else {}
    return found


def _difference(session: Session, making: Making) -> dict[str, Any] | None:
    """What changed against the plan that this one replaces."""
    former = fetch(session, "select plan_id from load where id = %s", (making.load_id,))[0][0]
    if former is None or former == making.plan_id:
        return None
    rows = fetch(
        session,
        "select coalesce(a.planned, '-'), coalesce(b.planned, '-'), count(*) from (select * from " + ALL_ROWS + " where plan_id = %s) a"
        " full join (select * from " + ALL_ROWS + " where plan_id = %s) b on b.no = a.no where a.planned is distinct from b.planned"
        " group by 1, 2",
        (former, making.plan_id),
    )
    return {"replaces": str(former), "rows": [{"was": was, "is": now, "rows": count} for was, now, count in rows]}


def _keep(session: Session, load_id: UUID, plan_id: UUID, model: str, report: Mapping[str, Any], *, blocked: bool) -> None:
    execute(
        session,
        "update load_plan p set state = %s, ready_at = clock_timestamp(), report = %s::jsonb,"
        " fingerprint = jsonb_build_object('file', l.sha256, 'template', l.template, 'reading', md5(l.options::text),"
        " 'model', %s::text, 'golden_state', p.mark) from load l"
        " where p.id = %s and l.id = p.load_id",
        ("blocked" if blocked else "ready", dumps(dict(report)).decode(), model, plan_id),
    )
    execute(
        session,
        "update load_plan set state = 'replaced' where load_id = %s and id <> %s and state in ('ready', 'blocked')",
        (load_id, plan_id),
    )
    execute(session, "delete from load_piece where plan_id = %s and way = 'staged'", (plan_id,))
    execute(
        session, "delete from load_piece where plan_id in (select id from load_plan where load_id = %s and state = 'replaced')", (load_id,)
    )
    execute(
        session,
        "update load set plan_id = %s, status = 'planned', asked_by = null, approved_by = null,"
        " seconds = seconds || jsonb_build_object('plan', %s::float8) where id = %s",
        (plan_id, report["seconds"], load_id),
    )
