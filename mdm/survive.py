"""Contributions -> golden values with provenance. Pure.

Order of arrival never changes the result: what decides is a source's own date, its rank for the attribute, and at the last its key.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import NamedTuple
from uuid import UUID

from mdm.entity import Attribute, EntityType, Survive

Values = str | tuple[str, ...]
PIN = "pin"


@dataclass(frozen=True, slots=True)
class Pin:
    """What a steward said an attribute is, whatever the sources say. It hangs on one of them, and goes where that goes."""

    value: Values
    decision: str  # of several pins the latest decision's counts: its id is the largest


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one source record says, in normal forms. `since` is the source's own date for it."""

    record_id: UUID
    system: str
    system_kind: str
    key: str
    active: bool
    since: date | None
    values: Mapping[str, Values]
    pins: Mapping[str, Pin] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.system}/{self.key}"


class Survivor(NamedTuple):
    """A golden value: which record it comes from, by which rule, and what the others say."""

    value: Values
    record_id: UUID
    rule: str
    losing: tuple[tuple[UUID, Values], ...]


def survive(entity: EntityType, contributions: Sequence[Contribution]) -> dict[str, Survivor]:
    """The golden values of one cluster: what is pinned first; then active records speak before inactive ones."""
    if len(contributions) == 1 and not contributions[0].pins:
        return _alone(entity, contributions[0])
    ranked = sorted(contributions, key=lambda c: (not c.active, c.name))
    speaking = [c for c in ranked if c.active] or ranked
    pinned = _pinned(ranked)
    winners = {group: _best_of_group(entity, group, names, speaking) for group, names in _groups(entity)}
    said = pinned.keys() | set().union(*[c.values for c in speaking])
    result = {}
    for attribute in [each for each in entity.attributes if each.name in said]:
        pin = pinned.get(attribute.name)
        survivor = (
            _survivor(entity, attribute, speaking, winners.get(attribute.group or "")) if pin is None else _held(attribute, pin, speaking)
        )
        if survivor is not None:
            result[attribute.name] = survivor
    return result


def _alone(entity: EntityType, c: Contribution) -> dict[str, Survivor]:
    """Most records are alone, and then there is nothing to weigh: every value survives, by the rule that would have chosen it."""
    found = {}
    for name, rule in _rules(entity, c.system_kind):
        value = c.values.get(name)
        if value is not None:
            found[name] = Survivor(_sorted(value), c.record_id, rule, ()) if rule == Survive.ALL else Survivor(value, c.record_id, rule, ())
    return found


@cache
def _rules(entity: EntityType, kind: str) -> tuple[tuple[str, str], ...]:
    """Per attribute the rule by which the value of a single system of this kind survives."""
    return tuple((a.name, _rule(entity, a, kind)) for a in entity.attributes)


def _rule(entity: EntityType, attribute: Attribute, kind: str) -> str:
    if attribute.many or attribute.survive is Survive.ALL:
        return Survive.ALL.value
    if attribute.group is not None:
        return "group"
    return "authority" if kind in _authorities(entity).get(attribute.name, ()) else attribute.survive.value


def _sorted(value: Values) -> Values:
    return (value,) if isinstance(value, str) else tuple(sorted(set(value)))


def _pinned(contributions: Sequence[Contribution]) -> dict[str, tuple[Pin, Contribution]]:
    found: dict[str, tuple[Pin, Contribution]] = {}
    for c in contributions:
        for name, pin in c.pins.items():
            if name not in found or found[name][0].decision < pin.decision:
                found[name] = pin, c
    return found


def _held(attribute: Attribute, pinned: tuple[Pin, Contribution], speaking: Sequence[Contribution]) -> Survivor:
    pin, holder = pinned
    losing = tuple((c.record_id, c.values[attribute.name]) for c in speaking if c.values.get(attribute.name, pin.value) != pin.value)
    return Survivor(pin.value, holder.record_id, PIN, losing)


def _survivor(
    entity: EntityType, attribute: Attribute, contributions: Sequence[Contribution], group_winner: Contribution | None
) -> Survivor | None:
    having = [c for c in contributions if attribute.name in c.values]
    if attribute.many or attribute.survive is Survive.ALL:
        return _all_values(attribute.name, having)
    if attribute.group is not None and group_winner is not None:
        # A group survives whole: a street from one source with a town from another is an address nobody has.
        return _chosen(attribute.name, group_winner, "group", having) if attribute.name in group_winner.values else None
    trusted, rule = _trusted(entity, attribute.name, having)
    winner = _RULES[attribute.survive](attribute.name, trusted)
    return _chosen(attribute.name, winner, rule or attribute.survive.value, having)


def _chosen(name: str, winner: Contribution, rule: str, having: Sequence[Contribution]) -> Survivor:
    value = winner.values[name]
    losing = tuple([(c.record_id, c.values[name]) for c in having if c.values[name] != value])
    return Survivor(value, winner.record_id, rule, losing)


def _all_values(name: str, having: Sequence[Contribution]) -> Survivor:
    values: list[str] = []
    for c in having:
        said = c.values[name]
        values.extend((said,) if isinstance(said, str) else said)
    return Survivor(tuple(sorted(set(values))), having[0].record_id, Survive.ALL.value, ())


@cache
def _groups(entity: EntityType) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The groups of attributes that survive whole, with the names of their attributes."""
    names = dict.fromkeys(a.group for a in entity.attributes if a.group)
    return tuple((group, tuple(a.name for a in entity.attributes if a.group == group)) for group in names)


def _best_of_group(entity: EntityType, group: str, members: Sequence[str], contributions: Sequence[Contribution]) -> Contribution | None:
    having = [c for c in contributions if not c.values.keys().isdisjoint(members)]
    if len(having) < 2:
        return having[0] if having else None
    trusted, _ = _trusted(entity, group, having)
    return min(trusted, key=lambda c: (-sum(name in c.values for name in members), *_newest_first(c)))


def _trusted(entity: EntityType, name: str, having: Sequence[Contribution]) -> tuple[Sequence[Contribution], str | None]:
    """The contributions of the most trusted kind of system that has a say on this attribute, if any is declared and speaks."""
    for kind in _authorities(entity).get(name, ()):
        speaking = [c for c in having if c.system_kind == kind]
        if speaking:
            return speaking, "authority"
    return having, None


@cache
def _authorities(entity: EntityType) -> Mapping[str, tuple[str, ...]]:
    return dict(reversed(entity.authorities))  # the first that is declared counts


def _newest_first(c: Contribution) -> tuple[int, str]:
    return (-(c.since or date.min).toordinal(), c.name)


def _most_recent(name: str, having: Sequence[Contribution]) -> Contribution:
    del name
    return min(having, key=_newest_first)


def _most_frequent(name: str, having: Sequence[Contribution]) -> Contribution:
    counts = Counter([c.values[name] for c in having])
    if len(counts) == 1:
        return _most_recent(name, having)
    return min(having, key=lambda c: (-counts[c.values[name]], *_newest_first(c)))


def _longest(name: str, having: Sequence[Contribution]) -> Contribution:
    return min(having, key=lambda c: (-len(c.values[name]), *_newest_first(c)))


_RULES: Mapping[Survive, Callable[[str, Sequence[Contribution]], Contribution]] = {
    Survive.MOST_RECENT: _most_recent,
    Survive.MOST_COMPLETE: _most_recent,
    Survive.MOST_FREQUENT: _most_frequent,
    Survive.LONGEST: _longest,
}
