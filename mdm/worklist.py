"""The work list: which tasks, in which order, and how many of each sort. It shows what a reader may see and is audited as read.

What rests (deferred, asked, waiting for a second person) is not in the list unless it is asked for. Filters are codes; none is on a field.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit, mask, policy
from mdm.access import Actor, Verb
from mdm.db import Row, array, fetch
from mdm.desk import in_systems
from mdm.difference import difference
from mdm.entity import EntityType
from mdm.errors import FieldProblem, Invalid
from mdm.reading import Reader, read_lines

ROWS = 50
SORTS = ("impact", "due", "age")
DUES = ("late", "today", "week", "later")
WAITS = ("time", "change", "answer", "approval", "asked", "second", "proposed")
NOBODY = "-"
TELLING = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What is asked for; None: everything. `owner`: a name, "me", or "-" for nobody's. `queue`: likewise "-" for what no rule routes.

    `waits`: only what rests, for this reason; "asked", "second", "proposed": whose question, approval or proposal is the reader's own.
    """

    domain: str | None = None
    kind: str | None = None
    owner: str | None = None
    queue: str | None = None
    due: str | None = None
    waits: str | None = None
    status: str = "open"
    sort: str = "impact"


@dataclass(frozen=True, slots=True)
class Item:
    """One task in the list: who or what it is about, what its evidence says at a glance, and whose it is by when."""

    id: UUID
    domain: str
    kind: str
    version: int
    impact: float
    created_at: datetime
    due_at: datetime
    assigned_to: str | None
    claimed_by: str | None
    waits_for: str | None
    goldens: tuple[UUID, ...]
    detail: Mapping[str, Any]
    line: str = ""
    other: str = ""
    weight: float | None = None
    telling: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of the list, where the next one begins, and how many tasks there are by each facet, the others' choices applied."""

    items: tuple[Item, ...]
    next: str | None
    total: int
    facets: Mapping[str, Sequence[tuple[str, int]]]


_ITEM: LiteralString = (
    "id, domain, kind, version, impact, created_at, due_at, assigned_to, case when claimed_until > now() then claimed_by end,"
    " case when waits_until > now() then waits_for end, goldens, detail"
)
# sort -> columns of the cursor, whether the first descends
_ORDERS: Mapping[str, tuple[LiteralString, LiteralString, LiteralString]] = {
    "impact": ("(impact, id) < (%(at)s::float8, %(id)s::uuid)", "impact desc, id desc", "impact"),
    "due": ("(due_at, id) > (%(at)s::timestamptz, %(id)s::uuid)", "due_at, id", "due_at"),
    "age": ("id > %(id)s::uuid", "id", "created_at"),
}
_DUE: Mapping[str, LiteralString] = {
    "late": "due_at < now()",
    "today": "due_at >= now() and due_at < now() + interval '1 day'",
    "week": "due_at >= now() + interval '1 day' and due_at < now() + interval '7 days'",
    "later": "due_at >= now() + interval '7 days'",
}
_AWAKE: LiteralString = "(waits_until is null or waits_until <= now())"
_RESTS: LiteralString = "waits_for = %(waits)s and waits_until > now()"
_PROPOSED: LiteralString = (
    "exists (select 1 from proposal p where p.task_id = task.id and p.status = 'open' and p.proposer = %(me)s) and waits_until > now()"
)
# What rests because of this reader: the first page counts it by the same words as the list that it leads to.
_OWN: Mapping[str, LiteralString] = {
    "asked": "waits_for = 'answer' and waits_until > now() and %(me)s = (select c.asked from task_comment c where c.task_id = task.id"
    " and c.kind = 'question' order by c.created_at desc limit 1)",
    "second": "waits_for = 'approval' and waits_until > now() and not " + _PROPOSED,
    "proposed": "waits_for = 'approval' and " + _PROPOSED,
}
_SCOPE = in_systems("%(systems)s::text[]")


def list_page(
    session: Session, entities: Mapping[str, EntityType], reader: Reader, filters: Filters, *, cursor: str | None = None, limit: int = ROWS
) -> Listing:
    """A page of tasks with the counts. Raises Invalid for choices that there are not."""
    check(filters)
    before, order, _ = _ORDERS[filters.sort]
    params = _params(reader.actor, filters) | _after(filters, cursor) | {"limit": limit + 1}
    where = _where(reader.actor, filters) + (" and " + before if cursor else "")
    rows = fetch(session, "select " + _ITEM + " from task where " + where + " order by " + order + " limit %(limit)s", params)
    items = [_item(row) for row in rows[:limit]]
    counts = _counts(session, reader.actor, filters)
    following = _cursor(filters, items[-1]) if len(rows) > limit else None
    return Listing(tuple(_described(session, entities, reader, items)), following, counts.total, counts.facets)


def check(filters: Filters) -> None:
    for name, choices in (("sort", SORTS), ("due", DUES), ("waits", WAITS), ("status", ("open", "settled", "obsolete"))):
        value = getattr(filters, name)
        if value is not None and value not in choices:
            raise Invalid.at("unknown_choice", f"/{name}", f"one of {', '.join(choices)}")


def matching(session: Session, actor: Actor, filters: Filters, limit: int) -> list[UUID]:
    """The tasks of a filter, those that matter most first."""
    check(filters)
    params = _params(actor, filters) | {"limit": limit}
    where = _where(actor, filters)
    return [
        row[0] for row in fetch(session, "select id from task where " + where + " order by impact desc, id desc limit %(limit)s", params)
    ]


@dataclass(frozen=True, slots=True)
class Own:
    """What waits for one person."""

    late: int
    mine: int
    asked: int
    approvals: int
    proposals: int


def own(session: Session, actor: Actor) -> Own:
    """Counts for the first page, as the lists that it leads to hold them."""
    params = _params(actor, Filters())
    scope = " and " + _SCOPE if actor.systems is not None else ""
    rows = fetch(
        session,
        "select count(*) filter (where due_at < now() and " + _AWAKE + "),"
        " count(*) filter (where assigned_to = %(me)s and "
        + _AWAKE
        + "), count(*) filter (where "
        + _OWN["asked"]
        + "), count(*) filter (where "
        + _OWN["second"]
        + "), count(*) filter (where "
        + _OWN["proposed"]
        + ") from task where status = 'open' and domain = any(%(domains)s)"
        + scope,
        params,
    )
    return Own(*rows[0])


def open_counts(session: Session, actor: Actor) -> dict[str, int]:
    """How many open tasks of each domain this person's list has."""
    usual = Filters()
    statement = "select domain, count(*) from task where " + _where(actor, usual) + " group by domain"
    return {row[0]: row[1] for row in fetch(session, statement, _params(actor, usual))}


def decidable(session: Session, actor: Actor, tasks: Sequence[UUID]) -> list[UUID]:
    """Those of these tasks that are open and this person's to decide; the others do not exist for them."""
    params = _params(actor, Filters()) | {"ids": array(tasks), "domains": sorted(policy.domains(actor, Verb.DECIDE))}
    scope = " and " + _SCOPE if actor.systems is not None else ""
    statement = "select id from task where id = any(%(ids)s::uuid[]) and status = 'open' and domain = any(%(domains)s)" + scope
    return [row[0] for row in fetch(session, statement, params)]


def upcoming(session: Session, actor: Actor, filters: Filters, skip: Sequence[UUID], count: int) -> list[UUID]:
    """The next tasks that this person may take: nobody else has them open. For the queue of a steward at work.

    Raises Invalid for choices that there are not.
    """
    check(filters)
    params = _params(actor, filters) | {"skip": array(skip), "limit": count}
    free = " and not id = any(%(skip)s::uuid[]) and (claimed_until is null or claimed_until <= now() or claimed_by = %(me)s)"
    where = _where(actor, filters) + free
    _, order, _ = _ORDERS[filters.sort]
    return [row[0] for row in fetch(session, "select id from task where " + where + " order by " + order + " limit %(limit)s", params)]


def _where(actor: Actor, filters: Filters, *, facets: bool = True) -> LiteralString:
    parts: list[LiteralString] = ["status = %(status)s", "domain = any(%(domains)s)"]
    if filters.status == "open":
        parts.append(_OWN.get(filters.waits, _RESTS) if filters.waits else _AWAKE)
    if facets and filters.kind:
        parts.append("kind = %(kind)s")
    if facets and filters.owner:
        parts.append("assigned_to is null" if filters.owner == NOBODY else "assigned_to = %(owner)s")
    if facets and filters.queue:
        parts.append("queue is null" if filters.queue == NOBODY else "queue = %(queue)s")
    if facets and filters.due:
        parts.append(_DUE[filters.due])
    if actor.systems is not None:
        parts.append(_SCOPE)
    found: LiteralString = " and ".join(parts)
    return found


def _params(actor: Actor, filters: Filters) -> dict[str, Any]:
    readable = policy.domains(actor, Verb.READ)
    if filters.domain is not None:
        policy.check(actor, Verb.READ, filters.domain)
    return {
        "status": filters.status,
        "domains": sorted(readable if filters.domain is None else readable & {filters.domain}),
        "kind": filters.kind,
        "owner": actor.name if filters.owner == "me" else filters.owner,
        "queue": filters.queue,
        "waits": filters.waits,
        "me": actor.name,
        "systems": sorted(actor.systems or ()),
    }


_READ: Mapping[str, Callable[[str], object]] = {"impact": float, "due": datetime.fromisoformat, "age": str}


def _after(filters: Filters, cursor: str | None) -> dict[str, Any]:
    at, _, task_id = (cursor or "").rpartition("_")
    if cursor is None:
        return {}
    try:
        return {"at": _READ[filters.sort](at), "id": UUID(task_id)}
    except ValueError:
        raise Invalid(problems=(FieldProblem("bad_cursor", "/cursor", "pass `next` of the page before, unchanged"),)) from None


def _cursor(filters: Filters, last: Item) -> str:
    at = {"impact": repr(last.impact), "due": last.due_at.isoformat(), "age": ""}[filters.sort]
    return f"{at}_{last.id}"


def _item(row: Row) -> Item:
    return Item(row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9], tuple(row[10]), row[11])


@dataclass(frozen=True, slots=True)
class _Counts:
    total: int
    facets: Mapping[str, Sequence[tuple[str, int]]]


def _counts(session: Session, actor: Actor, filters: Filters) -> _Counts:
    """How many tasks there are of each sort: one pass over all that are open, cut in memory, so that every facet knows the others."""
    wide = replace(filters, domain=None)
    where = _where(actor, wide, facets=False)
    rows = _by_due(fetch(session, _TALLY + where + " group by domain, kind, assigned_to, queue", _params(actor, wide)))
    chosen = (filters.kind, filters.domain, actor.name if filters.owner == "me" else filters.owner, filters.queue, filters.due)
    facets = {name: _facet(rows, chosen, place) for place, name in enumerate(("kind", "domain", "owner", "queue", "due"))}
    return _Counts(sum(row[-1] for row in rows if _fits(row, chosen, None)), facets)


# The bounds stand in selects of their own, worked out once and not for each of a hundred thousand rows; grouped as `ix_task_facets` is
# ordered, the rows come out of it counted, unsorted and without their tasks being looked at.
_TALLY: LiteralString = (
    "select kind, domain, coalesce(assigned_to, '-'), coalesce(queue, '-'), count(*) filter (where due_at < (select now())),"
    " count(*) filter (where due_at < (select now() + interval '1 day')),"
    " count(*) filter (where due_at < (select now() + interval '7 days')), count(*) from task where "
)


def _by_due(tallies: Sequence[Row]) -> list[Row]:
    """(kind, domain, owner, queue, due, count) out of how many are due by each bound."""
    found: list[Row] = []
    for *sort, late, today, week, every in tallies:
        counts = (late, today - late, week - today, every - week)
        found += [(*sort, due, count) for due, count in zip(DUES, counts, strict=True) if count]
    return found


def _fits(row: Row, chosen: Sequence[str | None], but: int | None) -> bool:
    return all(want is None or place == but or row[place] == want for place, want in enumerate(chosen))


def _facet(rows: Sequence[Row], chosen: Sequence[str | None], place: int) -> list[tuple[str, int]]:
    counts: Counter[str] = Counter()
    for row in rows:
        if _fits(row, chosen, place):
            counts[row[place]] += row[-1]
    wanted = chosen[place]
    if wanted is not None and wanted not in counts:
        counts[wanted] = 0
    return counts.most_common()


def _described(session: Session, entities: Mapping[str, EntityType], reader: Reader, items: Sequence[Item]) -> list[Item]:
    """Each item with the lines by which people know what it is about."""
    values = _values(session, reader, {golden for item in items for golden in item.goldens[:2]})
    lines = {} if reader.actor.systems is None else _lines(session, entities, reader, items)
    described = [_with_lines(entities[item.domain], reader, item, values, lines) for item in items]
    for name in {item.domain for item in items if entities[item.domain].phi}:
        subjects = sorted({golden for item in items if item.domain == name for golden in item.goldens[:2]})
        if subjects:
            shown = sorted(entities[name].display)
            audit.record(session, reader.actor, "task:list", domain=name, subjects=subjects, fields=shown, request_id=reader.request_id)
    return described


def _values(session: Session, reader: Reader, goldens: set[UUID]) -> Mapping[UUID, Mapping[str, Any]]:
    """What golden records say, all at once; a reader of some systems only is told what those say (`_lines`)."""
    if reader.actor.systems is not None:
        return {}
    return dict(
        fetch(
            session, 'select golden_id, "values" from golden_version where golden_id = any(%s) and recorded_to is null', (array(goldens),)
        )
    )


def _lines(session: Session, entities: Mapping[str, EntityType], reader: Reader, items: Sequence[Item]) -> dict[UUID, str]:
    """The lines of golden records, of what the reader's systems say, a domain at a time."""
    found: dict[UUID, str] = {}
    for name in {item.domain for item in items}:
        goldens = sorted({golden for item in items if item.domain == name for golden in item.goldens[:2]})
        found |= {golden: hit.display for golden, hit in read_lines(session, entities[name], reader, goldens).items()}
    return found


def _with_lines(
    entity: EntityType, reader: Reader, item: Item, values: Mapping[UUID, Mapping[str, Any]], known: Mapping[UUID, str]
) -> Item:
    plain = [values.get(golden) for golden in item.goldens[:2]]
    if reader.actor.systems is None:
        lines = [mask.line(entity, mask.values(entity, reader.actor, each or {})) for each in plain]
    else:
        lines = [known.get(golden, "") for golden in item.goldens[:2]]
    candidates = item.detail.get("candidates") or ()
    weight = candidates[0].get("weight") if candidates and isinstance(candidates[0], Mapping) else None
    told = _telling(entity, plain[0] or {}, plain[1] or {}) if len(plain) == 2 and reader.actor.systems is None else ()
    subject = lines[0] if lines else _miss_line(entity, reader, item)
    return replace(item, line=subject, other=lines[1] if len(lines) > 1 else "", weight=weight, telling=told)


def _miss_line(entity: EntityType, reader: Reader, item: Item) -> str:
    """An unknown value of a system; of a patient's numbers only as far as the reader sees them."""
    system, value = str(item.detail.get("system", "")), str(item.detail.get("value", ""))
    if entity.phi and value:
        value = mask.identifier(reader.actor, system, value)
    return f"{system} {value}".strip()


def _telling(entity: EntityType, left: Mapping[str, Any], right: Mapping[str, Any]) -> tuple[str, ...]:
    """How the two differ in what people know them by: attribute and kind of difference, never a value."""
    names = [name for name in entity.display if name in left or name in right]
    kinds = [(entity.attribute(n).title, difference(_text(left.get(n)), _text(right.get(n))).kind) for n in names]
    return tuple(f"{title}: {kind}" for title, kind in kinds if kind != "exact")[:TELLING]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
