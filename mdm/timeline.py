"""Claims about one subject -> which of them holds on which days. Pure.

Order of arrival never matters: what decides is who says it, the statement's own date, and at the last the name of its source.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from uuid import UUID

from mdm.entity import EntityType


@dataclass(frozen=True, slots=True)
class Claim:
    """An open claim, with the golden records it leads from and to now.

    `target` is None while nobody knows the key it names. `name`: its source's (None: a steward's); `active`: the source still has the
    record, or has said when it ended.
    """

    id: UUID
    subject: UUID
    type: str
    tree: str
    target: UUID | None
    valid_from: date | None
    valid_to: date | None
    name: str | None
    system_kind: str
    active: bool

    def covers(self, day: int) -> bool:
        return _first(self.valid_from) <= day < _end(self.valid_to)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """An edge as it should be: from day to day, by which claim."""

    subject: UUID
    type: str
    tree: str
    target: UUID
    valid_from: date | None
    valid_to: date | None
    claim_id: UUID


_BEGINNING, _NEVER = date.min.toordinal(), date.max.toordinal() + 1


def spans(entity: EntityType, claims: Iterable[Claim]) -> list[Span]:
    """The edges of one subject, or of several, that their claims give; nothing is its own parent, and unknown ends lead nowhere."""
    by_slot: dict[tuple[UUID, str, str, UUID | None], list[Claim]] = {}
    for claim in claims:
        rule = entity.relationship(claim.type)
        if rule is not None and claim.target is not None and claim.target != claim.subject:
            target = None if rule.single else claim.target
            by_slot.setdefault((claim.subject, claim.type, claim.tree, target), []).append(claim)
    _drop_the_silent(entity, by_slot)
    return [span for slot, held in by_slot.items() for span in _slot_spans(entity, slot[1], held)]


def _drop_the_silent(entity: EntityType, by_slot: dict[tuple[UUID, str, str, UUID | None], list[Claim]]) -> None:
    """Of a type with many targets, what only records say that their systems no longer have holds while nobody else says anything."""
    speaking = {slot[:3] for slot, held in by_slot.items() if any(claim.active for claim in held)}
    for slot, held in by_slot.items():
        rule = entity.relationship(slot[1])
        if rule is not None and not rule.single and slot[:3] in speaking:
            held[:] = [claim for claim in held if claim.active]


def _slot_spans(entity: EntityType, name: str, claims: Sequence[Claim]) -> list[Span]:
    """On each day the claim that ranks first; days of one claim that follow each other are one span."""
    kinds = trusted_kinds(entity, name)
    ranked = sorted(claims, key=lambda claim: _rank(kinds, claim))
    days = sorted({day for claim in claims for day in (_first(claim.valid_from), _end(claim.valid_to))})
    held: list[tuple[Claim, int, int]] = []
    for first, end in pairwise(days):
        best = next((claim for claim in ranked if claim.covers(first)), None)
        if best is not None and held and held[-1][0] is best and held[-1][2] == first:
            held[-1] = (best, held[-1][1], end)
        elif best is not None:
            held.append((best, first, end))
    return [_span(*each) for each in held]


def trusted_kinds(entity: EntityType, name: str) -> tuple[str, ...]:
    """Kinds of system in order of trust for a relationship, as for attributes."""
    return next((kinds for declared, kinds in entity.authorities if declared == name), ())


def _rank(kinds: Sequence[str], claim: Claim) -> tuple[object, ...]:
    """A person first, then who is trusted, then the newest statement, then by name."""
    trust = kinds.index(claim.system_kind) if claim.system_kind in kinds else len(kinds)
    newest = -_first(claim.valid_from)
    return claim.name is not None, not claim.active, trust, newest, claim.name or "", -claim.id.int


def _span(claim: Claim, first: int, end: int) -> Span:
    if claim.target is None:
        raise ValueError("a claim that leads nowhere has no span")
    start = None if first == _BEGINNING else date.fromordinal(first)
    last = None if end == _NEVER else date.fromordinal(end - 1)
    return Span(claim.subject, claim.type, claim.tree, claim.target, start, last, claim.id)


def _first(day: date | None) -> int:
    return _BEGINNING if day is None else day.toordinal()


def _end(day: date | None) -> int:
    return _NEVER if day is None else day.toordinal() + 1
