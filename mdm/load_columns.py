"""Which column of a file is what: suggested from name, content and the same source's former files, each with a reason. Pure.

    suggest(entity, header, sample_rows, former)  -> Suggestion(column, target, confidence, reason) ...

Required targets that no column fits come first, with an empty column. A column that fits nothing has an empty target. `former`: mappings
of this source's earlier loads, the newest first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rapidfuzz.fuzz import ratio

from mdm.entity import EntityType
from mdm.identifier_systems import BY_CODE
from mdm.load_table import Cells
from mdm.load_targets import IDENTIFIER, KEY, RELATIONSHIP, Mapping, attribute_of, required, takes_many, targets
from mdm.load_words import without, words_of
from mdm.standardise import read_value
from mdm.values.kind import Reading

Reader = Callable[[str], Reading]

_VALUES_MAX = 60  # different values of a column that are read on trial
_SURE = 0.98
_NAMED = 0.9
_SIMILAR = 0.86  # names less alike than this are different names
_PROPOSED = 0.35  # below it nothing is said
_ANYTHING = ("Maria Lopez", "12345", "5.30", "A-17", "2020-01-02", "17 Main Street", "X")
_BY_CONTENT = 0.6  # content alone never convinces further than this


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a column seems to be. `confidence` 0 to 1; a missing required target has no column, an unknown column no target."""

    column: str
    target: str
    confidence: float
    reason: str


@dataclass(frozen=True, slots=True)
class _Column:
    """A column's words and some of its values; `is_unique`: every row has another one."""

    name: str
    words: tuple[str, ...]
    values: tuple[str, ...]
    is_unique: bool


def suggest(entity: EntityType, header: Sequence[str], sample_rows: Sequence[Cells], former: Sequence[Mapping]) -> tuple[Suggestion, ...]:
    """One suggestion per column, in the order of the header, after the required targets that are missing."""
    noise = frozenset({*words_of(entity.name).split(), *words_of(entity.plural).split()})
    columns = [_column(name, [row[place] for row in sample_rows], noise) for place, name in enumerate(header)]
    offers = [*_remembered(entity, columns, former), *_found(entity, columns)]
    chosen = _assigned(entity, offers)
    listed = [chosen.get(name, Suggestion(name, "", 0.0, "neither name nor content fits anything")) for name in header]
    taken = {each.target for each in listed}
    missing = [Suggestion("", target, 0.0, "required, and no column fits") for target in required(entity) if target not in taken]
    return (*missing, *listed)


def _column(name: str, cells: Sequence[str | None], noise: frozenset[str]) -> _Column:
    filled = [cell.strip() for cell in cells if cell and cell.strip()]
    different = tuple(dict.fromkeys(filled))
    is_unique = len(different) == len(cells) and len(cells) > 1
    words = words_of(name)
    return _Column(name, (words, without(words, noise)), different[:_VALUES_MAX], is_unique)


def _remembered(entity: EntityType, columns: Sequence[_Column], former: Sequence[Mapping]) -> list[Suggestion]:
    known: dict[str, str] = {}
    for mapping in former:
        for each in mapping:
            known.setdefault(each.column.casefold(), each.target)
    allowed = {*targets(entity), *(target for target in known.values() if target.startswith((IDENTIFIER, RELATIONSHIP)))}
    return [
        Suggestion(column.name, target, _SURE, "it was this in the last load of the same source")
        for column in columns
        if (target := known.get(column.name.casefold(), "")) in allowed
    ]


def _found(entity: EntityType, columns: Sequence[_Column]) -> list[Suggestion]:
    offers = []
    for target in targets(entity):
        read = _reader(entity, target)
        is_telling = _is_telling(read)
        fits = [_fit(column, read) for column in columns]
        for place, column in enumerate(columns):
            others = [fit for index, fit in enumerate(fits) if index != place and columns[index].values]
            offers += _offer(entity, target, column, fits[place], sum(others) / len(others) if others else 1.0, is_telling=is_telling)
    return offers


def _offer(entity: EntityType, target: str, column: _Column, fit: float, elsewhere: float, *, is_telling: bool) -> list[Suggestion]:
    """What speaks for a column: its name, held against its content; or content that hardly any other column has."""
    if column.name == target:
        return [Suggestion(column.name, target, 1.0, "it is named as this is")]
    alike = _likeness(entity, target, column)
    share = f"{fit:.0%} of its values read as such" if column.values else "it is empty"
    if alike >= _SIMILAR:
        weight = min(alike, _NAMED + 0.05) * (0.4 + 0.6 * fit if column.values else 1.0)
        if target == KEY and column.values:
            weight, share = (weight, "every row has another one") if column.is_unique else (weight * 0.5, "but some rows share a value")
        how = "its name is the same" if alike > _NAMED + 0.05 else "its name is alike"
        return [Suggestion(column.name, target, round(weight, 2), f"{how}; {share}")]
    by_content = _BY_CONTENT * fit * (1 - elsewhere) if column.values and fit >= _NAMED and is_telling else 0.0
    if by_content < _PROPOSED:
        return []
    return [Suggestion(column.name, target, round(by_content, 2), f"{share}, and hardly any of other columns")]


def _likeness(entity: EntityType, target: str, column: _Column) -> float:
    return max(ratio(words, name) / 100 for words in column.words for name in _names(entity, target))


def _names(entity: EntityType, target: str) -> list[str]:
    """What a target may be called: its name, its title; an identifier also by its system."""
    attribute = attribute_of(entity, target)
    if attribute is not None:
        return [words_of(attribute.name), words_of(attribute.title)]
    if target.startswith(IDENTIFIER):
        code = target.removeprefix(IDENTIFIER)
        rule = next(rule for rule in entity.identifiers if rule.system == code)
        return [words_of(rule.name), words_of(code), words_of(code.removeprefix("us-")), words_of(BY_CODE[code].label)]
    if target == KEY:
        return ["key", *(f"{words_of(entity.name)} {word}" for word in ("id", "key", "number", "code"))]
    return [words_of(target.removeprefix(RELATIONSHIP))]


def _reader(entity: EntityType, target: str) -> Reader | None:
    attribute = attribute_of(entity, target)
    if attribute is not None:
        return lambda text: read_value(attribute, text)
    return BY_CODE[target.removeprefix(IDENTIFIER)].type.read if target.startswith(IDENTIFIER) else None


def _fit(column: _Column, read: Reader | None) -> float:
    """Which share of a column's different values is of the target's kind."""
    if read is None or not column.values:
        return 1.0 if read is None else 0.0
    return sum(_is_read(read, value) for value in column.values) / len(column.values)


def _is_read(read: Reader, value: str) -> bool:
    reading = read(value)
    return reading.value is not None and reading.problem in {None, "placeholder"}


def _is_telling(read: Reader | None) -> bool:
    """Whether content can show that a column is of this kind: a kind that takes nearly any text or number shows nothing."""
    return read is not None and sum(_is_read(read, value) for value in _ANYTHING) <= 1


def _assigned(entity: EntityType, offers: Sequence[Suggestion]) -> dict[str, Suggestion]:
    """The best offers, each column once, and each target once unless it takes many columns."""
    chosen: dict[str, Suggestion] = {}
    taken: set[str] = set()
    for offer in sorted(offers, key=lambda each: -each.confidence):
        if offer.column not in chosen and (offer.target not in taken or takes_many(entity, offer.target)) and offer.confidence >= _PROPOSED:
            chosen[offer.column] = offer
            taken.add(offer.target)
    return chosen
