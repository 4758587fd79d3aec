"""What may be told of a guess: whoever gives a value that they would see masked is not told how near it comes to a stored one.

Answer by answer, weights would give the value away. What remains is the grade, which search before create cannot do without, and which the
lookup budget counts (`docs/decisions/0015-guesses.md`).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from matching.explain import columns_of
from matching.model import Comparison, Model
from mdm import mask
from mdm.access import Actor
from mdm.entity import EntityType
from mdm.match import GRADES, MatchAnswer, MatchResult
from mdm.systems import SystemRegistry


def masked_attributes(entity: EntityType, actor: Actor, given: Iterable[str]) -> list[str]:
    """Those of the attributes given that the actor would see masked."""
    return [name for name in given if not mask.sees_whole(actor, entity.attribute(name))]


def masked_identifiers(systems: SystemRegistry, actor: Actor, given: Sequence[tuple[str, str]]) -> list[tuple[int, str]]:
    """The same of identifiers: their places, and the codes of their systems."""
    named = [(place, systems.resolve(system) or system) for place, (system, _) in enumerate(given)]
    return [(place, system) for place, system in named if not mask.sees_identifiers(actor, system)]


def withheld(
    systems: SystemRegistry,
    entity: EntityType,
    actor: Actor,
    model: Model,
    attributes: Iterable[str],
    identifiers: Sequence[tuple[str, str]],
) -> tuple[str, ...]:
    """The comparisons of which this question may be told nothing, by name."""
    codes = {system for _, system in masked_identifiers(systems, actor, identifiers)}
    hidden = {*masked_attributes(entity, actor, attributes), *(rule.name for rule in entity.identifiers if rule.system in codes)}
    found = {each.name for each in model.comparisons if hidden & {column.partition(".")[0] for column in columns_of(each)}}
    while more := {each.name for each in model.comparisons if each.name not in found and _hangs_on(each, found)}:
        found |= more
    return tuple(sorted(found))


def _hangs_on(comparison: Comparison, hidden: Collection[str]) -> bool:
    """Whether it falls silent with the level of a hidden one, which its silence would tell."""
    named = [*comparison.along_with, *([comparison.unless] if comparison.unless is not None else [])]
    return any(name in hidden for name, _ in named)


def coarse(answer: MatchAnswer, hidden: tuple[str, ...], limit: int) -> MatchAnswer:
    """The answer by grades alone, with the evidence that hides nothing; the order within a grade says nothing either."""
    ranked = sorted(answer.results, key=lambda result: (GRADES.index(result.grade), result.golden_id))
    return replace(answer, results=tuple(_coarse(result, hidden) for result in ranked[:limit]), withheld=hidden)


def _coarse(result: MatchResult, hidden: Collection[str]) -> MatchResult:
    told = tuple(each for each in result.evidence if each.comparison not in hidden)
    return replace(result, weight=None, evidence=told, vetoes=())
