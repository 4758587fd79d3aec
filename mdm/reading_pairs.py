"""Two records beside each other for somebody: checked, cut and masked as every read is (`mdm/reading.py`)."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from matching.explain import Step
from mdm import mask, policy
from mdm.access import Actor, Verb
from mdm.entity import EntityType
from mdm.errors import FieldProblem, Forbidden, NotFound
from mdm.explain import Asked, Beside, Given, Pair, PairView, Side, Stored
from mdm.explain import explain as take_apart
from mdm.guesses import masked_attributes, masked_identifiers
from mdm.identifier_systems import BY_CODE
from mdm.reading import Reader, audit_read
from mdm.systems import SystemRegistry, registry


class MaskedField(Forbidden):
    """A value that you see masked cannot be asked about."""

    code = "masked_field"


def explain(session: Session, entity: EntityType, reader: Reader, left: Asked, right: Asked) -> PairView:
    """Two records compared, with every part of their score; raises NotFound like a read of either, or MaskedField."""
    policy.check(reader.actor, Verb.READ, entity.name)
    if not all(policy.in_scope(reader.actor, side.system) for side in (left, right) if isinstance(side, Stored)):
        raise NotFound
    _check_given(registry(session), entity, reader.actor, (left, right))
    pair = take_apart(session, entity, left, right)
    values = {step.comparison: tuple(_beside(entity, reader.actor, pair, step)) for step in pair.explanation.steps}
    golden_ids = (pair.left.golden_id, pair.right.golden_id)
    fields = {beside.name for found in values.values() for beside in found}
    audit_read(session, entity, reader, "source:explain", [each for each in golden_ids if each is not None], fields)
    return PairView(pair.explanation, values, golden_ids, (*pair.left.notes, *pair.right.notes))


def _check_given(systems: SystemRegistry, entity: EntityType, actor: Actor, sides: tuple[Asked, Asked]) -> None:
    """Nobody is told how near a value of their own comes to a stored one that they see only masked: answer by answer it would be theirs."""
    given = [(where, side) for where, side in zip(("left", "right"), sides, strict=True) if isinstance(side, Given)]
    problems = tuple(found for where, side in given for found in _guesses(systems, entity, actor, where, side))
    if problems and len(given) < len(sides):
        raise MaskedField(problems=problems)


def _guesses(systems: SystemRegistry, entity: EntityType, actor: Actor, where: str, given: Given) -> Iterator[FieldProblem]:
    words = "you see this value masked, so it cannot be compared with a stored one"
    for name in masked_attributes(entity, actor, given.attributes):
        yield FieldProblem("masked", f"/{where}/attributes/{name}", words)
    for index, _ in masked_identifiers(systems, actor, given.identifiers):
        yield FieldProblem("masked", f"/{where}/identifiers/{index}", words)


def _beside(entity: EntityType, actor: Actor, pair: Pair, step: Step) -> Iterator[Beside]:
    """What both sides say in the attributes and identifiers that a step compared; a feature stands for the value it was made from."""
    attributes = {a.name: a.title for a in entity.attributes}
    systems = {rule.name: BY_CODE[rule.system].label for rule in entity.identifiers}
    titles = attributes | systems | {"keys": "Local keys"}
    for name in dict.fromkeys(column.partition(".")[0] for column in step.columns):
        left, right = (_side_value(entity, actor, side, name) for side in (pair.left, pair.right))
        if name in titles and (left is not None or right is not None):
            yield Beside(name, titles[name], left, right)


def _side_value(entity: EntityType, actor: Actor, side: Side, name: str) -> object:
    rule = next((rule for rule in entity.identifiers if rule.name == name), None)
    if rule is not None:
        held = side.identifiers.get(rule.system)
        return None if held is None else [mask.identifier(actor, rule.system, value) for value in held]
    if name in side.attributes:
        return mask.value(actor, entity.attribute(name), side.attributes[name])
    return side.columns.get(name) if name == "keys" else None
