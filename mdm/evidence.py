"""The rows of a pair: both sides' values with their differences, what that weighs, and what the golden record would say of them.

Every value leaves as the reader sees it: masked, unless they may see it, with the signs that differ still in view.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from matching.explain import Explanation, Step
from matching.model import Columns, Model
from mdm import mask
from mdm.difference import SLIGHT, Span, difference, under_mask
from mdm.entity import Attribute, EntityType
from mdm.identifier_systems import BY_CODE
from mdm.members import Member
from mdm.reading import Reader
from mdm.survive import Survivor
from mdm.systems import SystemRegistry
from mdm.values.kind import ValueType
from mdm.values.text import LABEL

FOLDED_BELOW = 0.05
_READABLE = 4  # values side by side


@dataclass(frozen=True, slots=True)
class Why:
    """What the comparisons of a row say: their levels in words and their weights in bits."""

    comparison: str
    level: str
    reason: str
    weight: float
    adjustment: float


@dataclass(frozen=True, slots=True)
class Choice:
    """A value that a record of either side has: who says it, as the reader sees it, and a handle by which it can be pinned."""

    record_id: UUID
    source: str
    text: str
    wins: bool


@dataclass(frozen=True, slots=True)
class GoldenCell:
    """What the golden record would say, from which source, by which rule; None where no record says anything."""

    texts: tuple[str, ...]
    source: str
    rule: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One attribute or identifier: both sides, how they differ, what that weighs, what the golden record would say.

    `covered`: values that this reader does not see whole.
    """

    name: str
    title: str
    left: tuple[tuple[Span, ...], ...]
    right: tuple[tuple[Span, ...], ...]
    kind: str
    why: tuple[Why, ...]
    golden: GoldenCell | None
    covered: bool
    pinnable: bool
    is_code: bool

    @property
    def is_slight(self) -> bool:
        """Whether the sides differ in nothing but how they are written."""
        return self.kind in SLIGHT

    @property
    def weight(self) -> float:
        return sum(each.weight for each in self.why)

    @property
    def is_folded(self) -> bool:
        """Equal, or empty on one side, and without weight: nothing to look at."""
        return self.kind in {"exact", "missing", ""} and abs(self.weight) < FOLDED_BELOW


@dataclass(frozen=True, slots=True)
class Sides:
    """The records of both sides that exist for this reader, the goldens' stored facts, and how to show values."""

    entity: EntityType
    reader: Reader
    systems: SystemRegistry
    members: tuple[Sequence[Member], Sequence[Member]]
    values: tuple[Mapping[str, Survivor], Mapping[str, Survivor]]
    merged: Mapping[str, Survivor]
    names: Mapping[UUID, str] = field(default_factory=dict)


def visible(sides: Sides, place: int) -> dict[str, list[str]]:
    """The golden values of a side that some record in the reader's scope says."""
    found = {}
    for name, survivor in sides.values[place].items():
        texts = [text for text in _texts(survivor.value) if _is_said(sides, place, name, text)]
        if texts:
            found[name] = texts
    return found


def _is_said(sides: Sides, place: int, name: str, text: str) -> bool:
    return sides.reader.actor.systems is None or any(text in _texts(m.attributes.get(name)) for m in sides.members[place])


def as_masked(sides: Sides, attribute: Attribute, texts: Sequence[str]) -> list[str]:
    return [str(mask.value(sides.reader.actor, attribute, text)) for text in texts]


def _texts(value: object) -> list[str]:
    return [value] if isinstance(value, str) else [str(part) for part in value] if isinstance(value, list | tuple) else []


def rows_of(sides: Sides, explanation: Explanation, model: Model) -> list[Row]:
    """The domain's own order: attributes, then identifiers, then what was compared without standing in either."""
    needs = {each.name: each.needs for each in model.comparisons}
    said: dict[str, list[Why]] = {}
    for step in explanation.steps:
        said.setdefault(needs[step.comparison][0].partition(".")[0], []).append(_why(step))
    rows = [_attribute_row(sides, attribute, tuple(said.pop(attribute.name, ()))) for attribute in sides.entity.attributes]
    rows += [_identifier_row(sides, rule.name, rule.system, tuple(said.pop(rule.name, ()))) for rule in sides.entity.identifiers]
    beside = {why.comparison for each in said.values() for why in each}
    rows += [_bare_row(sides, step, needs[step.comparison]) for step in explanation.steps if step.comparison in beside]
    return _swapped([row for row in rows if row.left or row.right or row.why])


def _why(step: Step) -> Why:
    return Why(step.comparison, step.level, step.reason, step.weight, step.adjustment)


def _attribute_row(sides: Sides, attribute: Attribute, why: tuple[Why, ...]) -> Row:
    left, right = (visible(sides, place).get(attribute.name, []) for place in (0, 1))
    plain = mask.sees(sides.reader.actor, attribute.sensitivity)
    masked = attribute.type.display if plain else lambda text: _mask_of(sides, attribute, text)
    sides_of, kind = _compared(left, right, attribute.type, masked, plain=plain)
    return Row(
        name=attribute.name,
        title=attribute.title,
        left=sides_of[0],
        right=sides_of[1],
        kind=kind,
        why=why,
        golden=_golden_cell(sides, attribute),
        covered=not plain and _hides(sides_of),
        pinnable=not attribute.many and len(left) <= 1 and len(right) <= 1 and left != right,
        is_code=attribute.is_code,
    )


def _mask_of(sides: Sides, attribute: Attribute, text: str) -> str:
    return str(mask.value(sides.reader.actor, attribute, text))


def _hides(sides_of: tuple[tuple[tuple[Span, ...], ...], ...]) -> bool:
    return any("•" in span.text for side in sides_of for value in side for span in value)


Cells = tuple[tuple[Span, ...], ...]


def _compared(
    left: Sequence[str], right: Sequence[str], kind_of: ValueType, masked: Callable[[str], str], *, plain: bool
) -> tuple[tuple[Cells, Cells], str]:
    """Both sides' values with their differences marked; of lists, what only one side has is marked whole."""
    if len(left) <= 1 and len(right) <= 1:
        a, b = left[0] if left else "", right[0] if right else ""
        found = difference(kind_of.display(a) if a else "", kind_of.display(b) if b else "", _alike(kind_of))
        cells = [((_shown(spans, masked(text), plain=plain),) if text else ()) for spans, text in ((found.left, a), (found.right, b))]
        return (cells[0], cells[1]), found.kind if a or b else ""
    shared = set(left) & set(right)
    both = tuple(tuple((Span(masked(text), differs=text not in shared),) for text in texts) for texts in (left, right))
    kind = "exact" if set(left) == set(right) else f"{len(shared)} shared" if shared else "different" if left and right else "missing"
    return (both[0], both[1]), kind


def _shown(spans: tuple[Span, ...], masked: str, *, plain: bool) -> tuple[Span, ...]:
    return spans if plain else under_mask(spans, masked)


def _alike(kind_of: ValueType) -> Callable[[str, str], bool] | None:
    """Whether two values share a form that their kind knows, such as a short form of a name."""
    if "nicknames" not in kind_of.feature_names:
        return None

    def share(left: str, right: str) -> bool:
        forms = [set(_texts(kind_of.features(text).get("nicknames", ()))) for text in (left, right)]
        return bool(forms[0] & forms[1])

    return share


def _golden_cell(sides: Sides, attribute: Attribute) -> GoldenCell | None:
    """What the golden record would say, and every value that either side's records say, the losing ones too."""
    survivor = sides.merged.get(attribute.name)
    if survivor is None:
        return None
    said = {
        text: m.id for members in reversed(sides.members) for m in reversed(members) for text in _texts(m.attributes.get(attribute.name))
    }
    texts = [text for text in _texts(survivor.value) if sides.reader.actor.systems is None or text in said]
    if not texts:
        return None
    choices = tuple(Choice(record, sides.names[record], _as_seen(sides, attribute, t), t in texts) for t, record in said.items())
    whole = tuple(_as_seen(sides, attribute, text) for text in texts)
    return GoldenCell(whole, sides.names.get(survivor.record_id, ""), survivor.rule, choices)


def _as_seen(sides: Sides, attribute: Attribute, text: str) -> str:
    plain = mask.sees(sides.reader.actor, attribute.sensitivity)
    return attribute.type.display(text) if plain else _mask_of(sides, attribute, text)


def _identifier_row(sides: Sides, name: str, system: str, why: tuple[Why, ...]) -> Row:
    declared = BY_CODE[system]
    plain = mask.sees(sides.reader.actor, declared.sensitivity)
    left, right = (sorted({v for m in members for v in m.identifiers.get(system, ())}) for members in sides.members)

    def masked(text: str) -> str:
        return declared.type.display(text) if plain else mask.identifier(sides.reader.actor, system, text)

    cells, kind = _compared(left, right, declared.type, masked, plain=plain)
    held = tuple(dict.fromkeys(masked(text) for text in (*left, *right)))
    golden = GoldenCell(held, "", "all", ()) if held else None
    return Row(name, declared.label, cells[0], cells[1], kind, why, golden, not plain and _hides(cells), pinnable=False, is_code=True)


def _bare_row(sides: Sides, step: Step, needs: Sequence[str]) -> Row:
    """What stands in no attribute's row, under the name of its comparison, with the values that were compared."""
    heads = {column.partition(".")[0] for column in step.columns}
    attributes = [each for each in sides.entity.attributes if each.name in heads]
    if attributes:
        said = [_said_of(sides, attributes, place) for place in (0, 1)]
    else:
        said = [_derived(sides, columns, needs) for columns in (step.left, step.right)]
    plain = all(mask.sees(sides.reader.actor, each.sensitivity) for each in attributes)
    shown = {**said[0], **said[1]}
    kind_of = attributes[0].type if attributes else LABEL
    cells, kind = _compared(list(said[0]), list(said[1]), kind_of, shown.__getitem__, plain=plain)
    title = "Reference to the other record" if needs[0] == "keys" else step.comparison.capitalize()
    return Row("", title, cells[0], cells[1], kind, (_why(step),), None, covered=False, pinnable=False, is_code=not attributes)


def _said_of(sides: Sides, attributes: Sequence[Attribute], place: int) -> dict[str, str]:
    """The values of a side in these attributes, and how the reader sees each."""
    found = visible(sides, place)
    return {text: _as_seen(sides, each, text) for each in attributes for text in found.get(each.name, ())}


def _derived(sides: Sides, columns: Columns, needs: Sequence[str]) -> dict[str, str]:
    """Values that were made of several attributes. No mask fits them and no record in scope need say them: of patients they stay unseen.

    Letters and words of a whole text stay unseen too: they stand in its own row, where a person can read them.
    """
    if sides.entity.phi or sides.reader.actor.systems is not None:
        return {}
    found = [_texts(columns.get(need)) for need in needs]
    return {text: text for texts in found if len(texts) <= _READABLE for text in texts}


def _swapped(rows: Sequence[Row]) -> list[Row]:
    """Two attributes whose values stand exchanged say so, rather than that each is another."""
    said = {row.name: (_whole(row.left), _whole(row.right)) for row in rows if row.name}
    crossed = {
        one
        for one, (a, b) in said.items()
        for other, (c, d) in said.items()
        if one != other and a and b and a != b and (a.casefold(), b.casefold()) == (d.casefold(), c.casefold())
    }
    return [_with_kind(row, "fields swapped") if row.name in crossed else row for row in rows]


def _whole(cells: Cells) -> str:
    return "".join(span.text for value in cells for span in value)


def _with_kind(row: Row, kind: str) -> Row:
    return replace(row, kind=kind)


def by_weight(rows: Sequence[Row]) -> list[Row]:
    """What disagrees and weighs most first, then what agrees, then what says nothing."""
    return sorted(rows, key=lambda row: (row.is_folded, row.weight >= 0, -abs(row.weight)))
