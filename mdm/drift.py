"""Drift: a source has changed its mind under a person's word.

Of a pinned value: a record of the golden record says something else than it said when the value was pinned. Of a link that a person made:
its two records no longer agree, by evidence that came after the decision. Where the machine linked, the same is a proposed cut.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from matching.model import Columns
from matching.score import Scorer
from mdm.db import array, fetch
from mdm.entity import EntityType
from mdm.finding import Finding, standing
from mdm.members import Member, StoredEdge
from mdm.records import delivery_of
from mdm.standardise import standardise
from mdm.systems import registry

KIND = "drift"
PIN, LINK = "pin", "link"
EXCEPTION = "exception"  # of the decision that says: known, do not ask again
_IMPACT = 18.0
_ROUNDING = 1e-6

Goldens = Mapping[UUID, Sequence[Member]]


def wanted(session: Session, entity: EntityType, scorer: Scorer, goldens: Goldens, edges: Sequence[StoredEdge]) -> list[Finding]:
    """What has drifted in these golden records, unless somebody said that it may."""
    found = [*_pins(session, entity, goldens), *_links(session, entity, scorer, goldens, edges)]
    if not found:
        return []
    excused = standing(session, entity.name, EXCEPTION, [record for each in found for record in each.records])
    keys = {detail.get("finding") for _, detail in excused}
    return [each for each in found if each.key not in keys]


def _pins(session: Session, entity: EntityType, goldens: Goldens) -> list[Finding]:
    """One question per pin that holds, naming the records that have changed under it."""
    pinned = [(g, name, pin) for g, members in goldens.items() for name, pin in _holding(members).items()]
    since = _moments(session, [UUID(pin["decision"]) for _, _, pin in pinned]) if pinned else {}
    found = []
    for golden, name, pin in pinned:
        at = since.get(UUID(pin["decision"]))  # a pin that is just being written has none yet
        records = [] if at is None else _changed(session, goldens[golden], name, pin["value"], at)
        if records:
            detail = {"rule": PIN, "attribute": name, "decision": pin["decision"]}
            found.append(Finding(f"{KIND}:{entity.name}:{pin['decision']}", KIND, (golden,), tuple(records), detail, _IMPACT))
    return found


def _holding(members: Sequence[Member]) -> dict[str, Any]:
    """Of several pins of one attribute the latest; ids of decisions are in the order of their making."""
    said = [(name, pin) for m in members for name, pin in (m.pins or {}).items()]
    return dict(sorted(said, key=lambda each: str(each[1]["decision"])))


def _moments(session: Session, decisions: Sequence[UUID]) -> dict[UUID, datetime]:
    return dict(fetch(session, "select id, created_at from decision where id = any(%s::uuid[])", (array(decisions),)))


def _changed(session: Session, members: Sequence[Member], name: str, pinned: object, at: datetime) -> list[UUID]:
    """Active records that say neither what is pinned nor what they said then."""
    now = {m.id: m.attributes.get(name) for m in members if m.status == "active"}
    asked = [record for record, value in now.items() if value is not None and value != pinned]
    then = {record: version["attributes"].get(name) for record, version in versions_then(session, asked, at, "clean").items()}
    return sorted(record for record in asked if record in then and now[record] != then[record])


def versions_then(session: Session, records: Sequence[UUID], at: datetime, what: str) -> dict[UUID, Any]:
    """What these records said at a moment, raw or clean, as far as they were known then.

    An update that was held back says nothing before it is accepted, whatever came meanwhile: so the moment counts, not the number.
    """
    column: LiteralString = "v.raw" if what == "raw" else "v.clean"
    rows = fetch(
        session,
        "select distinct on (v.record_id) v.record_id, " + column + " from source_record_version v where v.record_id = any(%s::uuid[])"
        " and v.state = 'applied' and v.recorded_at <= %s order by v.record_id, v.recorded_at desc, v.version desc",
        (array(records), at),
    )
    return dict(rows)


@dataclass(frozen=True, slots=True)
class _Said:
    """A pair that a person joined: by which decision, when."""

    low: UUID
    high: UUID
    decision: UUID
    at: datetime


def _links(session: Session, entity: EntityType, scorer: Scorer, goldens: Goldens, edges: Sequence[StoredEdge]) -> list[Finding]:
    members = {m.id: (golden, m) for golden, found in goldens.items() for m in found if m.status == "active"}
    together = [e for e in edges if e.verdict == "same" and e.low in members and e.high in members]
    weak = {}
    for e in together:
        weight = scorer.score(members[e.low][1].columns, members[e.high][1].columns).weight
        if weight < scorer.model.thresholds.review and members[e.low][0] == members[e.high][0]:
            weak[e.low, e.high] = weight
    found = []
    for said in _said(session, sorted(weak), "same"):
        least = weak[said.low, said.high] + _ROUNDING
        if (records := _changed_since(session, said)) and least < _weight_then(session, entity, scorer, said):
            detail = {"rule": LINK, "decision": str(said.decision), "changed": sorted(str(record) for record in records)}
            key = f"{KIND}:{entity.name}:{said.decision}:{said.low}:{said.high}"
            found.append(Finding(key, KIND, (members[said.low][0],), (said.low, said.high), detail, _IMPACT))
    return found


def outgrown(
    session: Session, entity: EntityType, scorer: Scorer, seen: tuple[Mapping[UUID, Member], Sequence[StoredEdge]], *, without: UUID | None
) -> dict[tuple[UUID, UUID], float]:
    """Of pairs that a person said are different, those that have grown alike since in what decides: their weights now.

    That is: they weigh more than they did then, and either what is grave or a strong identifier has changed, or the machine would link them
    now and would not have then. The decision stands; but whoever made it did not know this, and is asked once more. `seen`: active records,
    and edges that say "different"; `without`: a decision that is being taken back.
    """
    members, edges = seen
    apart = {}
    for edge in edges:
        if edge.low in members and edge.high in members:
            weight = scorer.score(members[edge.low].columns, members[edge.high].columns).weight
            if weight >= scorer.model.thresholds.review:
                apart[edge.low, edge.high] = weight
    found = {}
    for said in _said(session, sorted(apart), "different", without):
        now, then = apart[said.low, said.high], _columns_then(session, entity, said) if _changed_since(session, said) else {}
        if len(then) == 2:
            before = scorer.score(then[said.low], then[said.high]).weight
            changed = any(_grave(entity, then[record]) != _grave(entity, members[record].columns) for record in then)
            decides = changed or before < scorer.model.thresholds.link <= now
            if decides and now > before + _ROUNDING:
                found[said.low, said.high] = now
    return found


def _grave(entity: EntityType, columns: Columns) -> dict[str, object]:
    """What a domain declares grave, and strong identifiers."""
    names = (*entity.grave, *(rule.name for rule in entity.identifiers if rule.strong))
    return {name: columns[name] for name in names if name in columns}


def _said(session: Session, pairs: Sequence[tuple[UUID, UUID]], verdict: str, without: UUID | None = None) -> list[_Said]:
    """The decision that counts for each pair, of which the edge repeats the verdict."""
    if not pairs:
        return []
    rows = fetch(
        session,
        "select distinct on (j.low, j.high) j.low, j.high, d.id, d.created_at from unnest(%s::uuid[], %s::uuid[]) p(low, high)"
        " join judgement j on j.low = p.low and j.high = p.high join decision d on d.id = j.decision_id"
        " where j.verdict = %s and d.id is distinct from %s and not exists (select 1 from decision r where r.revokes = d.id)"
        " order by j.low, j.high, d.created_at desc, d.id desc",
        (array(low for low, _ in pairs), array(high for _, high in pairs), verdict, without),
    )
    return [_Said(*row) for row in rows]


def _changed_since(session: Session, said: _Said) -> list[UUID]:
    rows = fetch(
        session,
        "select distinct record_id from source_record_version where record_id = any(%s::uuid[]) and state = 'applied'"
        " and version > 1 and recorded_at > %s",
        (array([said.low, said.high]), said.at),
    )
    return [row[0] for row in rows]


def _weight_then(session: Session, entity: EntityType, scorer: Scorer, said: _Said) -> float:
    """What the pair weighed when it was decided, by today's model."""
    then = _columns_then(session, entity, said)
    return scorer.score(then[said.low], then[said.high]).weight if len(then) == 2 else float("-inf")


def _columns_then(session: Session, entity: EntityType, said: _Said) -> dict[UUID, Columns]:
    """What the pair was compared by when it was decided, as today's code reads it; without a record that is not known of then."""
    raw = versions_then(session, [said.low, said.high], said.at, "raw")
    places = {row[0]: (row[1], row[2]) for row in fetch(session, _PLACES, (array(raw),))}
    systems = registry(session)
    delivered = {record: delivery_of(*places[record], raw[record], "active", None, None) for record in raw}
    return {record: standardise(entity, delivery, systems).columns for record, delivery in delivered.items()}


_PLACES: LiteralString = "select id, system, key from source_record where id = any(%s::uuid[])"
