"""What a person says of who is who: merge, link only, split, move. Each is one decision in one transaction; `mdm.undo` takes it back.

A merge says *same* of one record and each of the others, so that nothing the evidence says later parts them; a split says *different* of
every pair that it parts. Where several decisions speak of a pair, the latest counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit, findings, requests
from mdm.access import Actor
from mdm.db import LOCKS_MAX, Row, array, fetch, lock
from mdm.decide import claims
from mdm.decisions import DIFFERENT, SAME, NewDecision, Statement, append, judge, said, standing
from mdm.entity import EntityType
from mdm.errors import Conflict, FieldProblem, Invalid, NotFound, Stale
from mdm.feed import publish
from mdm.ids import new_golden_id, new_id
from mdm.members import Member, members_of
from mdm.models import scorer as active_scorer
from mdm.resolve import Change, Move, Settled, founders, settle
from mdm.reviews import Outlook, refresh_after
from mdm.systems import registry

RECORDS_MAX = 200  # of all golden records that one act touches


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Who acts, why, from which task, if any, and on which version of the golden record that they read (None: not said)."""

    actor: Actor
    reason: str
    request_id: str
    task: UUID | None = None
    if_match: int | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    hold: timedelta = timedelta()  # how long its events wait for an undo, before anybody is told


@dataclass(frozen=True, slots=True)
class Done:
    """What an act did: its decision, the golden id of every record it touched, which records moved, and when it began."""

    decision_id: UUID
    golden_of: Mapping[UUID, UUID]
    moves: tuple[Move, ...]
    began: datetime

    @property
    def goldens(self) -> tuple[UUID, ...]:
        return tuple(sorted({*self.golden_of.values(), *(m.left for m in self.moves), *(m.joined for m in self.moves)}))


@dataclass(frozen=True, slots=True)
class Saying:
    """What is to be decided: its kind, the records it is about, what it says of pairs, and where it puts records."""

    kind: str
    records: Sequence[UUID]
    statements: Sequence[Statement]
    placed: Mapping[UUID, UUID | None] = field(default_factory=dict)
    revokes: UUID | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    id: UUID = field(default_factory=new_id)
    beside: frozenset[UUID] = frozenset()  # records whose company may depend on what the decision changed of those it is about


def merge(session: Session, entity: EntityType, golden_id: UUID, others: Sequence[UUID], act: Act) -> Done:
    """All records of `others` belong to `golden_id` from now on; the others answer with it.

    Raises Invalid for a merge with itself, NotFound for an id of no golden record of this domain, Stale for another version, Conflict for
    a retired or merged one and where a standing decision says that two of their records are different.
    """
    _check_others(golden_id, others)
    members = taken_together(session, entity, [golden_id, *others], act.if_match, living=True)
    return say(session, entity, merging(session, golden_id, members), act)


def _check_others(golden_id: UUID, others: Sequence[UUID]) -> None:
    if not others or golden_id in others or len(set(others)) != len(others):
        raise Invalid.at("merge_with_itself", "/from", "name other golden records, each once")


def link_only(session: Session, entity: EntityType, golden_id: UUID, others: Sequence[UUID], act: Act) -> Done:
    """The same entity, of which a system keeps several records that live on there; the system is asked to merge them (`mdm.requests`).

    Raises Invalid where no system keeps several, and as `merge` otherwise.
    """
    _check_others(golden_id, others)
    members = taken_together(session, entity, [golden_id, *others], act.if_match, living=True)
    return say(session, entity, linking(session, golden_id, members), act)


def linking(session: Session, golden_id: UUID, members: Mapping[UUID, Sequence[Member]], *, over: bool = False) -> Saying:
    """As `merging`, with a request to whichever system keeps records of more than one of these golden records."""
    doubled = requests.doubled(m for found in members.values() for m in found)
    home = {m.id: golden for golden, found in members.items() for m in found}
    if not any(len({home[record] for record in records}) > 1 for records in doubled.values()):
        raise Invalid.at("nothing_to_request", "/from", "no system has active records of more than one of them: merge them")
    return merging(session, golden_id, members, requests.LINK_ONLY, over=over)


def merging(
    session: Session, golden_id: UUID, members: Mapping[UUID, Sequence[Member]], kind: str = "merge", *, over: bool = False
) -> Saying:
    """The records of these golden records are one entity.

    Raises Conflict where a standing decision says otherwise. `over`: a question was asked once more, and this answer counts instead; the
    former counts again when this one is taken back.
    """
    first, *rest = [m.id for golden in (golden_id, *(g for g in members if g != golden_id)) for m in members[golden]]
    if not over:
        _refuse_contradiction(session, [first, *rest])
    pairs = [(first, record) for record in rest]
    pairs += [(s.low, s.high) for _, s in standing(session, DIFFERENT, [first, *rest])] if over else []
    return Saying(kind, [first, *rest], said(SAME, pairs), dict.fromkeys([first, *rest], golden_id))


def split(session: Session, entity: EntityType, golden_id: UUID, groups: Sequence[Sequence[UUID]], act: Act) -> Done:
    """Part a golden record: each group becomes one of its own, and so do, together, the records that no group names.

    A group whose records founded the golden record, or one that was merged into it, takes that id back. Raises Invalid for groups that
    overlap, are empty, name foreign records or leave nothing, and as `merge` otherwise.
    """
    members = taken_together(session, entity, [golden_id], act.if_match)[golden_id]
    parts = _whole(groups, [m.id for m in members])
    apart = [(a, b) for one, other in combinations(parts, 2) for a in one for b in other]
    placed = place_parts(session, golden_id, parts)
    return say(session, entity, Saying("split", [m.id for m in members], said(DIFFERENT, apart), placed), act)


def part_as_proposed(session: Session, entity: EntityType, golden_id: UUID, parts: Sequence[Sequence[UUID]], act: Act) -> Done:
    """Part a golden record as the evidence does, without saying anything of pairs: later evidence may join them again."""
    members = taken_together(session, entity, [golden_id], None)[golden_id]
    placed = place_parts(session, golden_id, _whole(parts, [m.id for m in members]))
    return say(session, entity, Saying("split", [m.id for m in members], (), placed), act)


def move(session: Session, entity: EntityType, golden_id: UUID, records: Sequence[UUID], to: UUID, act: Act) -> Done:
    """Some records of a golden record belong to another one. Raises as `merge` and `split` do."""
    if to == golden_id:
        raise Invalid.at("merge_with_itself", "/to", "name another golden record")
    members = taken_together(session, entity, [golden_id, to], act.if_match, living=True)
    moving, staying = _whole([records], [m.id for m in members[golden_id]], pointer="/records")
    home = [m.id for m in members[to]]
    _refuse_contradiction(session, [*moving, *home])
    statements = said(SAME, [(home[0], r) for r in (*moving, *home[1:])]) + said(DIFFERENT, [(a, b) for a in moving for b in staying])
    placed: dict[UUID, UUID | None] = {**dict.fromkeys([*moving, *home], to), **dict.fromkeys(staying, golden_id)}
    return say(session, entity, Saying("move", [*moving, *staying, *home], statements, placed), act)


def say(session: Session, entity: EntityType, saying: Saying, act: Act) -> Done:
    """Write a decision and derive identity from it. The caller holds the locks of `taken_together`."""
    model = active_scorer(session, entity)
    began = fetch(session, "select clock_timestamp()")[0][0]
    judge(session, model, saying.statements)
    about = frozenset(saying.records)
    judged = frozenset((s.low, s.high) for s in saying.statements)
    change = Change(about, decision_id=saying.id, placed=saying.placed, beside=saying.beside - about, judged=judged, revokes=saying.revokes)
    settled = settle(session, entity, model, registry(session), change)
    held = publish(session, entity.name, settled.happenings, began + act.hold) if act.hold else ()
    write_down(session, entity, saying, act, settled, held)
    asked, found = saying.kind in {requests.LINK_ONLY, requests.ANSWER, "undo"}, saying.kind in {*findings.ANSWERS, "undo"}
    if asked or found:
        left = sorted({move.left for move in settled.moves} - settled.goldens.keys())
        refresh_after(session, entity, model, Outlook(settled.goldens, settled.edges, (), left), asked=asked, found=found)
    if not act.hold:
        publish(session, entity.name, settled.happenings)
    return Done(saying.id, settled.golden_of, tuple(settled.moves), began)


def write_down(session: Session, entity: EntityType, saying: Saying, act: Act, settled: Settled, held: Sequence[UUID] = ()) -> None:
    """The decision with what it did, the events of it that wait, and its audit row."""
    moves = [[str(m.record_id), str(m.left), str(m.joined)] for m in settled.moves]
    said = (("task", act.task and str(act.task)), ("evidence", act.evidence), ("held", [str(event) for event in held]))
    told = {name: value for name, value in said if value}
    decision = NewDecision(
        id=saying.id,
        kind=saying.kind,
        records=sorted(saying.records),
        actor=act.actor.name,
        reason=act.reason,
        model_version=active_scorer(session, entity).model.version,
        detail={**told, **saying.detail, "moves": moves},
        statements=saying.statements,
        revokes=saying.revokes,
    )
    append(session, entity, decision)
    audit.record(
        session,
        act.actor,
        f"decision:{saying.kind}",
        domain=entity.name,
        subjects=sorted(set(settled.golden_of.values())),
        request_id=act.request_id,
        outcome="done",
    )


def taken_together(
    session: Session, entity: EntityType, goldens: Sequence[UUID], if_match: int | None, *, living: bool = False
) -> dict[UUID, list[Member]]:
    """The members of some golden records, locked as a delivery locks them, in the order given; `if_match` is of the first.

    `living`: none may be retired.
    """
    _lock_keys(session, entity, fetch(session, _KEYS_THERE, (array(goldens),)))
    rows = fetch(session, _GOLDENS, (array(sorted(goldens)), entity.name))
    known = {row[0]: row for row in rows}
    for number, golden in enumerate(goldens):
        _check_usable(known.get(golden), if_match if number == 0 else None, living=living)
    members = members_of(session, goldens)
    if not members.keys() >= set(goldens):
        raise Conflict("a golden record has no source records any more: the load that brought them was taken back")
    if sum(map(len, members.values())) > RECORDS_MAX:
        raise Conflict(f"these golden records have more than {RECORDS_MAX} source records; part them in steps")
    return {golden: members[golden] for golden in goldens}


_KEYS_THERE: LiteralString = (
    "select keys from source_record where id = any(array(select record_id from link where golden_id = any(%s) and recorded_to is null))"
)
_GOLDENS: LiteralString = "select id, status, version from golden_record where id = any(%s) and domain = %s order by id for update"


def _check_usable(row: Row | None, if_match: int | None, *, living: bool) -> None:
    if row is None:
        raise NotFound("there is no such golden record in this domain")
    if row[1] == "merged":
        raise Conflict("a golden record was merged into another meanwhile; read it again")
    if if_match is not None and if_match != row[2]:
        raise Stale(f"this golden record is now at version {row[2]}")
    if row[1] == "retired" and living:
        raise Conflict("a golden record is retired: none of its source records is active")


def lock_records(session: Session, entity: EntityType, records: Sequence[UUID]) -> None:
    """The same locks as a delivery takes, so that neither overtakes the other; beyond their number the golden records' rows guard."""
    _lock_keys(session, entity, fetch(session, "select keys from source_record where id = any(%s)", (array(records),)))


def _lock_keys(session: Session, entity: EntityType, rows: Sequence[Row]) -> None:
    lock(session, f"block:{entity.name}", sorted({key for row in rows for key in row[0]})[:LOCKS_MAX])


def place_parts(session: Session, golden_id: UUID, parts: Sequence[Sequence[UUID]]) -> dict[UUID, UUID | None]:
    """The golden id of every record, once these parts are golden records of their own."""
    rows = fetch(
        session,
        "with recursive below(id, survivor) as (select %s::uuid, null::uuid union all select r.golden_id, r.survivor from below"
        " join golden_redirect r on r.survivor = below.id and r.recorded_to is null) select id, survivor from below",
        (golden_id,),
    )
    survivors = {row[0]: row[1] for row in rows}
    founded = founders(session, sorted(survivors), [record for part in parts for record in part])
    homes = [golden or new_golden_id() for golden in claims([frozenset(part) for part in parts], founded, survivors)]
    return {record: home for part, home in zip(parts, homes, strict=True) for record in part}


def _whole(groups: Sequence[Sequence[UUID]], records: Sequence[UUID], pointer: str = "/groups") -> list[list[UUID]]:
    """The groups, and the records that none of them names as a further first one."""
    named = [record for group in groups for record in group]
    if len(set(named)) != len(named) or not all(groups):
        raise Invalid.at("overlapping_groups", pointer, "name every record once, and no empty group")
    if not set(named) <= set(records):
        raise Invalid.at("foreign_record", pointer, "name records of this golden record only")
    rest = [record for record in records if record not in set(named)]
    parts = [list(group) for group in groups] + ([rest] if rest else [])
    if len(parts) < 2:
        raise Invalid.at("nothing_to_part", pointer, "at least one record must stay and one must go")
    return parts


def _refuse_contradiction(session: Session, records: Sequence[UUID]) -> None:
    against = standing(session, DIFFERENT, records)
    if against:
        problems = tuple(
            FieldProblem("decided_different", "/from", f"decision {decision} says that two of these records are different; undo it first")
            for decision in sorted({decision for decision, _ in against})
        )
        raise Conflict("a standing decision says that some of these records are different", problems)
