"""What an undo of a load would do now: what reverts, what was touched since and stays, which merges would come apart.

Rows stand by number and golden records by id, never a key or a value: whoever may load sees it. An undo takes back by the same statements.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import loads
from mdm.access import Actor
from mdm.db import array, fetch
from mdm.load_same import ALL_ROWS

LISTED = 200


@dataclass(frozen=True, slots=True)
class GoingRow:
    """A row that an undo takes back: its record is withdrawn, or gets its former version back."""

    row: int
    what: str
    golden_id: UUID | None


@dataclass(frozen=True, slots=True)
class KeptRow:
    """A row that an undo leaves as it is, and why."""

    row: int
    why: str


@dataclass(frozen=True, slots=True)
class RepeatedRow:
    """A row whose record is withdrawn although a later file of its system has said the same once more."""

    row: int
    load_id: UUID


@dataclass(frozen=True, slots=True)
class StandingMerge:
    """What a person has merged since the plan was made."""

    decision_id: UUID
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Parting:
    """A golden record that loses records: those withdrawn, and those that return to other golden records; what people merged into it."""

    golden_id: UUID
    records: int
    withdrawn: int
    returned: int
    returns_to: Sequence[UUID]
    merges: Sequence[StandingMerge]


@dataclass(frozen=True, slots=True)
class Undoing:
    """What an undo would do. Counts are of all; of what is listed, the first `LISTED`."""

    counts: Mapping[str, int]
    going: tuple[GoingRow, ...]
    kept: tuple[KeptRow, ...]
    splits: tuple[Parting, ...]
    repeated: tuple[RepeatedRow, ...]


CHANGED: LiteralString = "plan_id = %(plan)s and became in ('new', 'linked', 'review', 'updated') and undone is null"
# Of a record with later versions: whether anybody has said anything else but loads that were taken back since, and their undoing, which
# says once more what stood before them.
_SAYS_OTHERWISE: LiteralString = (
    "r.hash is distinct from (select w.hash from source_record_version w where w.record_id = x.record_id and w.version = x.wrote)"
    " or exists (select 1 from source_record_version v where v.record_id = x.record_id and v.version > x.wrote and v.state = 'applied'"
    " and v.hash <> r.hash and not exists (select 1 from load_row y join source_record_version b on b.record_id = y.record_id"
    " and b.version = y.before where y.record_id = x.record_id and y.undone and (y.wrote = v.version or y.wrote < v.version and"
    " b.hash = v.hash)))"
)
# Why a row stays: somebody has decided about its record since, or its system has spoken again.
REASONS: LiteralString = (
    "select x.no, case when exists (select 1 from decision d where d.records @> array[x.record_id] and d.kind <> 'undo'"
    " and d.created_at > coalesce(p.ready_at, p.created_at) and not exists (select 1 from decision u where u.revokes = d.id)) and x.is_new"
    " then 'decided' when not x.is_new and x.became = 'review' then case when r.version = x.wrote then 'decided' when exists (select 1"
    " from source_record_version v where v.record_id = x.record_id and v.version > x.wrote) then 'delivered again' end"
    " when r.version is distinct from x.wrote and (" + _SAYS_OTHERWISE + ") or exists (select 1"
    " from source_record_version v where v.record_id = x.record_id and v.version > x.wrote and v.state = 'quarantined')"
    " then 'delivered again' end"
    " from load_row x join load_plan p on p.id = x.plan_id"
    " left join source_record r on r.id = x.record_id where x.plan_id = %(plan)s and x.record_id = any(%(records)s)"
)


def preview(session: Session, actor: Actor, load_id: UUID) -> Undoing:
    """What an undo would do now. Raises NotFound, or Conflict for a load that was not applied."""
    view = loads.get(session, actor, load_id)
    loads.check_undoable(view)
    asked: dict[str, Any] = {"load": load_id, "plan": view.plan_id, "domain": view.domain, "system": view.system}
    kept = [KeptRow(no, why) for no, why in fetch(session, _KEPT, asked)]
    asked["kept"] = [each.row for each in kept]
    withdrawn, reverted = fetch(session, _COUNTS, asked)[0]
    going = [GoingRow(no, "withdrawn" if is_new else "reverted", golden) for no, is_new, golden in fetch(session, _GOING, asked)]
    moves = fetch(session, MOVES_LEFT, asked)
    splits = _splits(session, asked)
    repeated = fetch(session, _REPEATED, asked)
    counts = {
        "withdrawn": withdrawn,
        "reverted": reverted,
        "returned": len(moves),
        "kept": len(kept),
        "splits": len(splits),
        "repeated": len(repeated),
    }
    listed = tuple(RepeatedRow(*row) for row in repeated[:LISTED])
    return Undoing(counts, tuple(going), tuple(kept[:LISTED]), tuple(splits[:LISTED]), listed)


# Few rows of a large load have any reason to stay: only those are asked which. See `REASONS` for what each may be.
_KEPT: LiteralString = (
    "with mine as not materialized (select no, record_id, is_new, became, wrote from load_row where " + CHANGED + "),"
    " suspect as materialized (select x.no, x.record_id from mine x left join source_record r on r.id = x.record_id"
    " where r.version is distinct from x.wrote or not x.is_new and x.became = 'review'"
    " union select x.no, x.record_id from mine x where exists (select 1 from source_record_version v where v.record_id = x.record_id"
    " and v.version > x.wrote and v.state = 'quarantined')"
    " union select x.no, x.record_id from decision d cross join unnest(d.records) m(id) join mine x on x.record_id = m.id"
    " where d.domain = %(domain)s and d.created_at > (select coalesce(ready_at, created_at) from load_plan where id = %(plan)s))"
    " select s.no, w.why from suspect s cross join lateral ("
    + REASONS.replace("x.record_id = any(%(records)s)", "x.no = s.no")
    + ") w(no, why) where w.why is not null order by s.no"
)
_COUNTS: LiteralString = (
    "select count(*) filter (where is_new), count(*) filter (where not is_new) from load_row where "
    + CHANGED
    + " and no <> all(%(kept)s::int[])"
)
_GOING: LiteralString = (
    "select x.no, x.is_new, (select l.golden_id from link l where l.record_id = x.record_id and l.recorded_to is null) from (select no,"
    " is_new, record_id from load_row where " + CHANGED + f" and no <> all(%(kept)s::int[]) order by no limit {LISTED}) x order by x.no"
)
# Only where the machine put them: whom a person has placed since stays there.
MOVES_LEFT: LiteralString = (
    "select m.record_id, m.left_golden, l.golden_id from load_move m join link l on l.record_id = m.record_id and l.recorded_to is null"
    " where m.load_id = %(load)s and l.decision_id is null and l.golden_id <> m.left_golden order by m.record_id"
)


def _splits(session: Session, asked: Mapping[str, Any]) -> list[Parting]:
    """Golden records whose merge comes apart: the load's own, where others return, and people's, where a member is withdrawn."""
    by_golden: dict[UUID, list[StandingMerge]] = {}
    for golden, *told in fetch(session, _MERGES, asked):
        by_golden.setdefault(golden, []).append(StandingMerge(*told))
    rows = fetch(session, _PARTED, {**asked, "merged": array(by_golden)})
    return [
        Parting(golden, records, withdrawn, returned, places, by_golden.get(golden, ()))
        for golden, records, withdrawn, returned, places in rows
    ]


# Without an index for it: the decisions of one domain since then are few beside the rows of a load.
_MERGES: LiteralString = (
    "select l.golden_id, d.id, d.actor, d.created_at from decision d cross join lateral (select distinct l.golden_id from link l"
    " where l.record_id = any(d.records) and l.recorded_to is null) l where d.domain = %(domain)s and d.kind = 'merge'"
    " and d.created_at > (select coalesce(ready_at, created_at) from load_plan where id = %(plan)s)"
    " and not exists (select 1 from decision u where u.revokes = d.id) order by d.created_at, d.id"
)
_PARTED: LiteralString = (
    "with back as materialized (select golden_id, count(*) as returned, array_agg(distinct left_golden) as places from ("
    + MOVES_LEFT
    + ") m group by 1) select c.golden_id, n.records, n.withdrawn, coalesce(b.returned, 0), coalesce(b.places, '{}')"
    " from (select golden_id from back union select unnest(%(merged)s::uuid[])) c left join back b using (golden_id)"
    " cross join lateral (select count(*) as records, count(x.no) as withdrawn from link l left join load_row x"
    " on x.record_id = l.record_id and x.plan_id = %(plan)s and x.became in ('new', 'linked', 'review') and x.is_new and x.undone is null"
    " and x.no <> all(%(kept)s::int[]) where l.golden_id = c.golden_id and l.recorded_to is null) n"
    " where n.records > n.withdrawn and (n.withdrawn > 0 or b.golden_id is not null) order by c.golden_id"
)
# A delivery by itself that says the same leaves no trace; a file does, in its plan: of rows, or as a whole (`same_as`).
_REPEATED: LiteralString = (
    "with later as materialized (select l.id, l.plan_id from load l join load_plan p on p.id = l.plan_id join load o on o.id = %(load)s"
    " where l.domain = %(domain)s and l.system = %(system)s and l.id <> o.id and l.status <> 'undone' and p.created_at >= o.applied_at),"
    " said as materialized (select r.record_id, max(l.id::text)::uuid as load_id from later l join "
    + ALL_ROWS
    + " on r.plan_id = l.plan_id"
    " where r.planned = 'unchanged' and r.record_id is not null group by 1),"
    " whole as materialized (select max(id::text)::uuid as load_id from load where same_as = %(load)s)"
    " select x.no, coalesce(s.load_id, w.load_id) from load_row x cross join whole w left join said s on s.record_id = x.record_id"
    " where x.plan_id = %(plan)s and x.is_new and x.became in ('new', 'linked', 'review') and x.undone is null"
    " and x.no <> all(%(kept)s::int[]) and coalesce(s.load_id, w.load_id) is not null order by x.no"
)
