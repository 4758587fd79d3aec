"""Rows of a file -> exactly the deliveries that a system would send online, or the reason why not. Pure; a million rows go through.

    converter = Converter(entity, system, table.header, mapping, steps)     # mapping and steps checked before
    for row in batch.rows:
        made = converter.convert(row)                                       # Delivery | RowReject
    rows = converter.repair(batch.rows)                                     # or in two goes: what is staged is repaired ...
    rejects = converter.screen(rows)                                        # ... place in `rows` -> RowReject, without making deliveries
    made = converter.deliver(rows[0])                                       # and later, of a repaired row, the same as convert made
    made = converter.deliver_sound(rows[0])                                 # or of one that was not rejected, in a third of the time
    converter.applied                                                       # title of a step -> rows that it changed

What standardise would refuse is refused here under the same codes, with the column's name in place of a pointer.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from operator import ne

from mdm.entity import EntityType
from mdm.load_steps import Step, cell_of
from mdm.load_table import Cells, Columns, RowProblem, RowReject
from mdm.load_targets import IDENTIFIER, KEY, RELATIONSHIP, STATUS, STATUSES, VALID_FROM, VALID_TO, Mapping, end_of, required
from mdm.standardise import IDENTIFIERS_MAX, KEY_LENGTH_MAX, VALUES_MAX, Delivery, Raw, local_key
from mdm.statements import RELATIONSHIPS_MAX, Assertion
from mdm.values.date import DATE
from mdm.values.kind import clean_text

_Place = tuple[str, int, str]  # target, place in the row, separator of values

Doubt = Callable[[Columns], Iterable[int]]

_MOST = {IDENTIFIER: IDENTIFIERS_MAX, RELATIONSHIP: RELATIONSHIPS_MAX}
_A_KEY = f"a key has 1 to {KEY_LENGTH_MAX} printable characters"
_WHOLE_DATE = len("2000-01-01")
_ALWAYS: tuple[str, date | None, date | None] = ("active", None, None)


class Converter:
    """Rows of one table for one domain and system; `applied` counts, per step, the rows that it changed."""

    def __init__(self, entity: EntityType, system: str, header: Sequence[str], mapping: Mapping, steps: Sequence[Step] = ()) -> None:
        self._entity, self._system = entity, system
        self._columns = {each.target: each.column for each in mapping}
        self.applied: Counter[str] = Counter({step.title: 0 for step in steps if step.on})
        place = {name: index for index, name in enumerate(header)}
        self._steps = [(place[s.column], cell_of(s), s.title) for s in steps if s.on and s.kind != "split"]
        splits = {s.column: s.separator for s in steps if s.on and s.kind == "split"}
        self._shape(entity, [(each.target, place[each.column], splits.get(each.column, "")) for each in mapping])

    def _shape(self, entity: EntityType, places: list[_Place]) -> None:
        """Where each part of a delivery stands in a row."""
        at = {target: index for target, index, _ in places}
        self._key, self._times = at[KEY], [at.get(name) for name in (STATUS, VALID_FROM, VALID_TO)]
        self._timed = any(index is not None for index in self._times)
        names = {a.name: a.many for a in entity.attributes}
        self._ones = [(target, index) for target, index, sep in places if target in names and not names[target]]
        self._many = [(name, [(i, sep) for target, i, sep in places if target == name]) for name in at if names.get(name)]
        self._identifiers = [(target.removeprefix(IDENTIFIER), i, sep) for target, i, sep in places if target.startswith(IDENTIFIER)]
        self._ends = [(end_of(target), i, sep) for target, i, sep in places if target.startswith(RELATIONSHIP)]
        self._single = {rule.name for rule in entity.relationships if rule.single}
        self._required = [name for name in required(entity) if name != KEY]
        self._lengths = {a.name: a.type.max_length for a in entity.attributes}
        self._doubts = [*self._plain_doubts(places), *self._other_doubts()]

    def _plain_doubts(self, places: list[_Place]) -> Iterator[Doubt]:
        """Per column, the rows that are worth a second look: too many never hurt, one too few would."""
        columns = Counter(_kind(target) for target, _, _ in places)
        yield _blank(self._key)
        for target, place, separator in places:
            limit = self._lengths.get(target, KEY_LENGTH_MAX)
            if separator:
                yield _splits(place, separator, _MOST.get(_kind(target), VALUES_MAX) // columns[_kind(target)])
            yield _longer(place, limit)
            if target.startswith(RELATIONSHIP):
                yield _unusual(place, str.isprintable)
        for name in self._required:
            alone = [place for target, place, _ in places if target == name]
            yield _blank(alone[0]) if len(alone) == 1 else _all_rows

    def _other_doubts(self) -> Iterator[Doubt]:
        status, start, end = self._times
        if status is not None:
            yield _unusual(status, lambda text: not text.strip() or text.strip().lower() in STATUSES)
        if start is not None and end is not None:
            yield _all_rows
        else:
            yield from (_unusual(place, _is_day) for place in (start, end) if place is not None)
        if self._may_be_too_many():
            yield _all_rows

    def _may_be_too_many(self) -> bool:
        """Whether the columns of a row together may say more than a record can hold, or two targets where there is one."""
        alone = [end.type for end, _, _ in self._ends if end.type in self._single]
        is_split = any(separator for end, _, separator in self._ends if end.type in self._single)
        too_wide = len(self._ends) > RELATIONSHIPS_MAX or len(self._identifiers) > IDENTIFIERS_MAX
        return is_split or too_wide or len(alone) > len(set(alone)) or any(len(places) > VALUES_MAX for _, places in self._many)

    def convert(self, row: Cells) -> Delivery | RowReject:
        """The delivery of one row as wide as the header."""
        return self.deliver(self.repair([row])[0])

    def repair(self, rows: Sequence[Cells]) -> Sequence[Cells]:
        """The rows after every step; column by column, and counted."""
        return list(zip(*self.repair_columns(list(zip(*rows, strict=True))), strict=True)) if self._steps else rows

    def repair_columns(self, columns: Columns) -> Columns:
        """The same of whole columns, and the columns after every step."""
        if not self._steps or not columns:
            return columns
        repaired = [*columns]
        for place, repair, title in self._steps:
            before = repaired[place]
            repaired[place] = after = [repair(cell) if cell else cell for cell in before]
            self.applied[title] += sum(map(ne, before, after))
        return repaired

    def screen(self, rows: Sequence[Cells]) -> dict[int, RowReject]:
        """Which repaired rows `deliver` will reject, by their place: at a tenth of the cost of delivering them all."""
        if not rows:
            return {}
        columns = list(zip(*rows, strict=True))
        doubtful = {index for doubt in self._doubts for index in doubt(columns)}
        found = {index: self.deliver(rows[index]) for index in sorted(doubtful)}
        return {index: made for index, made in found.items() if isinstance(made, RowReject)}

    def key(self, cells: Cells) -> str:
        """The key that a repaired row names, whether or not it is one."""
        return _key(cells[self._key] or "")

    def keys(self, columns: Columns) -> list[str]:
        """The same of all repaired rows, given column by column."""
        said = [cell or "" for cell in columns[self._key]] if columns else []
        together = "".join(said)
        is_normal = together.isascii() and together.isprintable() and " " not in together
        return said if is_normal else [*map(_key, said)]

    def deliver(self, cells: Cells) -> Delivery | RowReject:
        """The delivery of one repaired row."""
        key, attributes, identifiers = self._parts(cells)
        problems = self._problems(key, attributes, identifiers)
        status, start, end = self._period(cells, problems) if self._timed else _ALWAYS
        said = self._said(cells, problems) if self._ends else None
        return RowReject(tuple(problems)) if problems else Delivery(self._system, key, attributes, identifiers, status, start, end, said)

    def deliver_sound(self, cells: Cells) -> Delivery:
        """The same of a row that `screen` has nothing against: nobody asks its fields once more."""
        key, attributes, identifiers = self._parts(cells)
        if not self._timed and not self._ends:
            return Delivery(self._system, key, attributes, identifiers)
        status, start, end = self._period(cells, []) if self._timed else _ALWAYS
        said = self._said(cells, []) if self._ends else None
        return Delivery(self._system, key, attributes, identifiers, status, start, end, said)

    def _parts(self, cells: Cells) -> tuple[str, dict[str, Raw], list[tuple[str, str]]]:
        attributes: dict[str, Raw] = {name: cell for name, place in self._ones if (cell := cells[place])}
        for name, places in self._many:
            if values := [value for place, sep in places for value in _values(cells[place], sep)]:
                attributes[name] = values
        identifiers = [(system, value) for system, place, sep in self._identifiers for value in _values(cells[place], sep)]
        return self.key(cells), attributes, identifiers

    def _problems(self, key: str, attributes: dict[str, Raw], identifiers: list[tuple[str, str]]) -> list[RowProblem]:
        """What standardise would refuse, field by field."""
        problems = []
        if not key.strip():
            problems.append(self._problem("missing_key", KEY, "the row has no key: give it the key of its system"))
        elif len(key) > KEY_LENGTH_MAX:
            problems.append(self._problem("invalid_key", KEY, _A_KEY))
        problems += [
            self._problem("required", name, f"{self._entity.attribute(name).title} is required: fill it in")
            for name in self._required
            if not _text(attributes.get(name, ""))
        ]
        for name, raw in attributes.items():
            values = [raw] if isinstance(raw, str) else raw
            if len(values) > VALUES_MAX:
                problems.append(self._problem("too_many", name, f"at most {VALUES_MAX} values: leave some out"))
            if max(map(len, values)) > self._lengths[name]:
                problems.append(self._problem("too_long", name, f"at most {self._lengths[name]} characters: shorten it"))
        return problems + self._identifier_problems(identifiers)

    def _identifier_problems(self, identifiers: list[tuple[str, str]]) -> list[RowProblem]:
        long = {system for system, value in identifiers if len(value) > KEY_LENGTH_MAX}
        problems = [
            self._problem("too_long", IDENTIFIER + each, f"at most {KEY_LENGTH_MAX} characters: shorten it") for each in sorted(long)
        ]
        if len(identifiers) > IDENTIFIERS_MAX:
            problems.append(RowProblem("too_many", "", f"at most {IDENTIFIERS_MAX} identifiers: leave some out"))
        return problems

    def _period(self, cells: Cells, problems: list[RowProblem]) -> tuple[str, date | None, date | None]:
        said, start, end = ("" if place is None else (cells[place] or "").strip() for place in self._times)
        status = said.lower() or "active"
        if status not in STATUSES:
            problems.append(self._problem("unknown_status", STATUS, f"one of {', '.join(STATUSES)}: map the values of this column"))
        first, last = self._day(VALID_FROM, start, problems), self._day(VALID_TO, end, problems)
        if first is not None and last is not None and last < first:
            problems.append(self._problem("invalid_period", VALID_TO, "it lies before valid_from: correct one of the two"))
        return status, first, last

    def _day(self, target: str, text: str, problems: list[RowProblem]) -> date | None:
        if not text:
            return None
        value = DATE.read(text).value or ""
        if len(value) != _WHOLE_DATE:
            problems.append(self._problem("invalid_date", target, "a whole date, as 2026-07-01"))
            return None
        return date.fromisoformat(value)

    def _said(self, cells: Cells, problems: list[RowProblem]) -> tuple[Assertion, ...]:
        found = [
            Assertion(end.type, end.system or self._system, value, tree=end.tree)
            for end, place, sep in self._ends
            for value in _values(cells[place], sep)
        ]
        if len(found) > RELATIONSHIPS_MAX:
            problems.append(RowProblem("too_many", "", f"at most {RELATIONSHIPS_MAX} relationships: leave some out"))
        no_keys = {each.type for each in found if len(each.value or "") > KEY_LENGTH_MAX or not clean_text(each.value or "")}
        problems += [self._problem("invalid_key", RELATIONSHIP + name, _A_KEY) for name in sorted(no_keys)]
        ends = {(each.type, each.tree, each.system, clean_text(each.value or "")) for each in found}
        twice = {kind for (kind, _), count in Counter(end[:2] for end in ends).items() if count > 1 and kind in self._single}
        problems += [
            self._problem("two_targets", RELATIONSHIP + name, "one target at a time: leave one of them out") for name in sorted(twice)
        ]
        return tuple(found)

    def _problem(self, code: str, target: str, fix: str) -> RowProblem:
        return RowProblem(code, self._columns.get(target, target), fix)


def _kind(target: str) -> str:
    """Identifiers are counted together, relationships too, the values of an attribute by themselves."""
    return target[: target.find(":") + 1] or target


def _all_rows(columns: Columns) -> Iterable[int]:
    return range(len(columns[0]))


def _blank(place: int) -> Doubt:
    def doubt(columns: Columns) -> Iterable[int]:
        column = columns[place]
        if all(column) and not any(map(str.isspace, filter(None, column))):
            return ()
        return [index for index, cell in enumerate(column) if not cell or cell.isspace()]

    return doubt


def _longer(place: int, limit: int) -> Doubt:
    def doubt(columns: Columns) -> Iterable[int]:
        column = columns[place]
        if max(map(len, filter(None, column)), default=0) <= limit:
            return ()
        return [index for index, cell in enumerate(column) if cell and len(cell) > limit]

    return doubt


def _splits(place: int, separator: str, most: int) -> Doubt:
    return lambda columns: [index for index, cell in enumerate(columns[place]) if cell and cell.count(separator) >= most]


def _unusual(place: int, is_usual: Callable[[str], bool]) -> Doubt:
    """Columns of few different values are asked value by value."""

    def doubt(columns: Columns) -> Iterable[int]:
        unusual = {cell for cell in set(columns[place]) if cell and not is_usual(cell)}
        return [index for index, cell in enumerate(columns[place]) if cell in unusual] if unusual else ()

    return doubt


def _is_day(text: str) -> bool:
    return not text.strip() or len(DATE.read(text.strip()).value or "") == _WHOLE_DATE


def _values(cell: str | None, separator: str) -> list[str]:
    """The values of one cell of something that may have many."""
    if not cell or cell.isspace():
        return []
    return [part for each in cell.split(separator) if (part := each.strip())] if separator else [cell]


def _key(cell: str) -> str:
    """In normal form, as what is stored; one that cannot be stored is left to be refused."""
    return cell if "\x00" in cell else local_key(cell)


def _text(raw: Raw) -> str:
    return (raw if isinstance(raw, str) else "".join(raw)).strip()
