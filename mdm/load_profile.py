"""What the columns of a file hold, and what is wrong with many cells at once, each with the step that repairs it. Pure; fed batch by batch.

    profiler = Profiler(entity, table.header, mapping)
    for batch in table.batches(2_000):
        profiler.add_columns(batch.columns)
    profiler.columns(), profiler.findings()

A `Finder` has the findings alone, at a third of the cost.

A finding that `must_be_chosen` stops a plan until one of its steps, or none, was chosen: 03/04/1990 means two days, and no guess is safe.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import ne

from rapidfuzz import process

from mdm.entity import EntityType
from mdm.identifier_systems import BY_CODE
from mdm.load_steps import SCIENTIFIC, Step
from mdm.load_table import Cells, Columns
from mdm.load_targets import IDENTIFIER, KEY, RELATIONSHIP, STATUS, STATUSES, VALID_FROM, VALID_TO, Mapping, attribute_of, takes_many
from mdm.standardise import read_value
from mdm.values.code import CODE
from mdm.values.date import DATE
from mdm.values.flag import FLAG
from mdm.values.kind import ValueType
from mdm.values.sex import SEX

DIFFERENT_MAX = 20_000  # beyond so many different values, only new ones are no longer counted
_LISTED = 50
_SIMILAR = 80.0
_DATE = re.compile(r"\s*(\d{1,2})([-/. ])(\d{1,2})\2(\d{4}|\d{2})(?:[T ].*)?\s*", re.ASCII)
_SERIAL = re.compile(r"[1-9]\d{4}(?:\.\d+)?", re.ASCII)
_EXPONENT = re.compile(r"\d[eE][+-]?\d", re.ASCII)  # part of every number in scientific notation
_SEPARATORS = ("|", ";", "~")
_FLOAT_DIGITS = 15


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One column in figures. `different` counts to DIFFERENT_MAX; `is_key`: every row has another value, as far as those counted tell."""

    name: str
    filled: int
    different: int
    shortest: int
    longest: int
    is_key: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that holds for many cells of a column. `steps`: what could be done, the likeliest first."""

    code: str
    column: str
    rows: int
    message: str
    steps: tuple[Step, ...] = ()
    must_be_chosen: bool = False
    values: tuple[tuple[str, int], ...] = ()


@dataclass(slots=True)
class _Seen:
    """What went by in one column: how often each of the `telling` ones among the first DIFFERENT_MAX values.

    `are_bare`: all of them are numbers without a leading zero so far, where it matters; then each one tells.
    """

    telling: Callable[[Sequence[str]], Sequence[str]]
    are_bare: bool
    filled: int = 0
    blanks: int = 0
    shortest: int = 0
    longest: int = 0
    values: Counter[str] = field(default_factory=Counter)
    different: set[str] = field(default_factory=set)
    overflow: bool = False

    def add(self, filled: Sequence[str]) -> None:
        self.filled += len(filled)
        stripped = [*map(str.strip, filled)]
        if stripped != filled:
            self.blanks += sum(map(ne, filled, stripped))
        if not self.overflow and not self.different.issuperset(filled):
            self._meet([value for value in dict.fromkeys(filled) if value not in self.different])
        if self.values:
            self.values.update([cell for cell in filled if cell in self.values])

    def _meet(self, new: Sequence[str]) -> None:
        """Values that were not there before, in their order."""
        self.different.update(new)
        self.overflow = len(self.different) > DIFFERENT_MAX
        odd = next((value for value in new if not _is_bare(value)), None) if self.are_bare else None
        if odd is not None:  # it alone says that no zeros were lost
            self.are_bare = False
            self.values = Counter({value: self.values[value] for value in self.telling([*self.values])})
            self.values[odd] = 0
        self.values.update(dict.fromkeys(new if self.are_bare else self.telling(new), 0))

    def measure(self, filled: Sequence[str]) -> None:
        lengths = {*map(len, filled)}
        self.shortest = min(self.shortest or min(lengths), *lengths)
        self.longest = max(self.longest, *lengths)


class Finder:
    """Counts, as rows go by, what is wrong with many cells of the columns that become something."""

    def __init__(self, entity: EntityType, header: Sequence[str], mapping: Mapping) -> None:
        self._entity, self._rows = entity, 0
        targets = {each.column: each.target for each in mapping}
        self._seen = [(place, name, targets[name], self._begin(targets[name])) for place, name in enumerate(header) if name in targets]

    def _begin(self, target: str) -> _Seen:
        return _Seen(_telling(self._entity, target), _may_lack_zeros(target, _kind(self._entity, target)))

    def add(self, rows: Sequence[Cells]) -> None:
        self.add_columns(list(zip(*rows, strict=True)))

    def add_columns(self, columns: Columns) -> None:
        """The same of rows that are given column by column."""
        if not columns:
            return
        self._rows += len(columns[0])
        for place, _, _, seen in self._seen:
            if filled := [*filter(None, columns[place])]:
                self._add(seen, filled)

    def _add(self, seen: _Seen, filled: Sequence[str]) -> None:
        seen.add(filled)

    def findings(self) -> tuple[Finding, ...]:
        """Those that must be chosen first, then by the number of rows."""
        found = [finding for _, name, target, seen in self._seen for finding in self._of(name, target, seen)]
        return tuple(sorted(found, key=lambda each: (not each.must_be_chosen, -each.rows)))

    def _of(self, name: str, target: str, seen: _Seen) -> list[Finding]:
        kind = _kind(self._entity, target)
        found = [_blanks(name, seen), _scientific(name, seen)]
        if kind is DATE:
            found += [_order(name, seen), _serials(name, seen)]
        elif _may_lack_zeros(target, kind):
            found.append(_zeros(name, seen, kind))
        if takes_many(self._entity, target):
            found.append(_lists(name, seen))
        found.append(_unknown(self._entity, name, target, seen))
        return [finding for finding in found if finding is not None]


class Profiler(Finder):
    """Counts besides what the columns hold."""

    def _begin(self, _: str) -> _Seen:
        """Each value tells whether the column is a key."""
        return _Seen(list, are_bare=False)

    def _add(self, seen: _Seen, filled: Sequence[str]) -> None:
        seen.measure(filled)
        seen.add(filled)

    def columns(self) -> tuple[ColumnProfile, ...]:
        return tuple(
            ColumnProfile(name, s.filled, len(s.values), s.shortest, s.longest, s.filled == self._rows > 0 and max(s.values.values()) == 1)
            for _, name, _, s in self._seen
        )


def unsettled(findings: Sequence[Finding], steps: Sequence[Step]) -> tuple[Finding, ...]:
    """Those that must be chosen and were not: a step that is switched off is a choice too."""
    chosen = {(step.kind, step.column) for step in steps}
    return tuple(
        finding
        for finding in findings
        if finding.must_be_chosen and not any((kind, finding.column) in chosen for kind in {step.kind for step in finding.steps})
    )


def _kind(entity: EntityType, target: str) -> ValueType | None:
    if target in {VALID_FROM, VALID_TO}:
        return DATE
    if target.startswith(IDENTIFIER):
        known = BY_CODE.get(target.removeprefix(IDENTIFIER))
        return known.type if known else None
    attribute = attribute_of(entity, target)
    return attribute.type if attribute else None


def _telling(entity: EntityType, target: str) -> Callable[[Sequence[str]], Sequence[str]]:
    """The values of some that a finding may count, but for lost zeros."""
    if _is_closed(entity, target):
        return list
    if _kind(entity, target) is DATE:
        return lambda values: [v for v in values if _is_scientific(v) or _DATE.fullmatch(v) or _SERIAL.fullmatch(v.strip())]
    separators = _SEPARATORS if takes_many(entity, target) else ()

    def telling(values: Sequence[str]) -> Sequence[str]:
        together = "\n".join(values)
        if not _EXPONENT.search(together) and not any(separator in together for separator in separators):
            return ()
        return [value for value in values if _is_scientific(value) or any(separator in value for separator in separators)]

    return telling


def _is_scientific(value: str) -> bool:
    return SCIENTIFIC.fullmatch(value.strip()) is not None


def _may_lack_zeros(target: str, kind: ValueType | None) -> bool:
    return kind is not DATE and (target == KEY or target.startswith((IDENTIFIER, RELATIONSHIP)) or _is_code(kind))


def _is_closed(entity: EntityType, target: str) -> bool:
    """Whether the values are those of a list."""
    attribute = attribute_of(entity, target)
    return target == STATUS or (attribute is not None and (bool(attribute.choices) or attribute.type in {FLAG, SEX}))


def _is_code(kind: ValueType | None) -> bool:
    """Whether leading zeros are part of the value: they are where the kind's own example is made of digits alone, or it is a code."""
    return kind is not None and (kind is CODE or (kind.example.isdigit() and kind.normalise(kind.example) == kind.example))


def _blanks(name: str, seen: _Seen) -> Finding | None:
    if not seen.blanks:
        return None
    return Finding("blanks", name, seen.blanks, f"{seen.blanks} cells begin or end with a blank", (Step("trim", name),))


def _scientific(name: str, seen: _Seen) -> Finding | None:
    """1.23457E+11: a spreadsheet kept the first digits. Whether the others are gone, the digits tell."""
    hit = {value: count for value, count in seen.values.items() if _is_scientific(value)}
    if not hit:
        return None
    rows = sum(hit.values())
    lost = sum(count for value, count in hit.items() if _lost_digits(value))
    if lost:
        message = f"{rows} cells are in scientific notation, and {lost} of them lost digits for good: export the column again as text"
        return Finding("lost_digits", name, rows, message, (Step("plain_numbers", name, on=False),), must_be_chosen=True)
    return Finding("scientific", name, rows, f"{rows} cells are in scientific notation", (Step("plain_numbers", name),))


def _lost_digits(value: str) -> bool:
    mantissa, _, exponent = value.strip().upper().replace(",", ".").partition("E")
    decimals = len(mantissa.partition(".")[2])
    return int(exponent) >= _FLOAT_DIGITS or int(exponent) > decimals >= len("00")


def _order(name: str, seen: _Seen) -> Finding | None:
    """Dates of which one part may be day or month."""
    both = day_first = month_first = 0
    for value, count in seen.values.items():
        found = _DATE.fullmatch(value)
        if found is not None:
            first, second = int(found[1]), int(found[3])
            day_first += count * (first > 12 >= second)
            month_first += count * (second > 12 >= first)
            both += count * (max(first, second) <= 12 and first != second)
    if not both + day_first + month_first:
        return None
    evidence = f"{day_first} rows fit only DD/MM, {month_first} only MM/DD, {both} fit both"
    orders = ("MDY", "DMY") if month_first > day_first else ("DMY", "MDY")
    steps = tuple(Step("date_order", name, order=order) for order in orders)
    is_clear = bool(month_first) and not day_first
    if is_clear:
        return None
    return Finding("date_order", name, both + day_first + month_first, evidence, steps, must_be_chosen=True)


def _serials(name: str, seen: _Seen) -> Finding | None:
    rows = sum(count for value, count in seen.values.items() if _SERIAL.fullmatch(value.strip()))
    if not rows:
        return None
    return Finding("serial_dates", name, rows, f"{rows} dates are a spreadsheet's day numbers", (Step("serial_dates", name),))


def _zeros(name: str, seen: _Seen, kind: ValueType | None) -> Finding | None:
    """Digits of which some are shorter than the others, and none begins with a zero: a spreadsheet took them for numbers."""
    lengths: Counter[int] = Counter()
    for value, count in seen.values.items():
        if not _is_bare(value):
            return None
        lengths[len(value)] += count
    width = max(lengths, default=0)
    short = sum(count for length, count in lengths.items() if length < width)
    if not short or width < len("000") or lengths[width] <= short:
        return None
    if kind is not None and not _wants_zeros(kind, seen, width):
        return None
    message = f"{short} of {seen.filled} values have fewer than {width} digits, and none begins with a zero: were zeros lost?"
    return Finding("lost_zeros", name, short, message, (Step("pad_zeros", name, width=width),))


def _is_bare(value: str) -> bool:
    return value.isascii() and value.isdigit() and value[0] != "0"


def _wants_zeros(kind: ValueType, seen: _Seen, width: int) -> bool:
    """No more short values are right as they are than with their zeros."""
    short = [value for value in seen.values if len(value) < width][:_LISTED]
    bare, padded = (sum(kind.read(v).is_evidence for v in values) for values in (short, [v.zfill(width) for v in short]))
    return padded >= bare and padded > 0


def _lists(name: str, seen: _Seen) -> Finding | None:
    counts = {sep: sum(count for value, count in seen.values.items() if sep in value) for sep in _SEPARATORS}
    separator = max(counts, key=lambda sep: counts[sep])
    if not counts[separator]:
        return None
    rows = counts[separator]
    return Finding("lists", name, rows, f"{rows} cells hold several values", (Step("split", name, separator=separator),))


def _unknown(entity: EntityType, name: str, target: str, seen: _Seen) -> Finding | None:
    """Values that a closed list does not have, with counts, and what they may mean."""
    if not _is_closed(entity, target):
        return None
    attribute = attribute_of(entity, target)
    known: Sequence[str] = STATUSES if attribute is None else attribute.choices
    if attribute is None:
        unknown = {v: c for v, c in seen.values.items() if v.strip() and v.strip().lower() not in STATUSES}
    else:
        unknown = {v: c for v, c in seen.values.items() if v.strip() and read_value(attribute, v).value is None}
    if not unknown:
        return None
    listed = tuple(sorted(unknown.items(), key=lambda each: (-each[1], each[0]))[:_LISTED])
    pairs = tuple((value, meant) for value, _ in listed if (meant := _meant(value, known)) is not None)
    rows = sum(unknown.values())
    message = f"{rows} cells hold {len(unknown)} values that are not known here" + (f": known are {', '.join(known)}" if known else "")
    return Finding("unknown_values", name, rows, message, (Step("map_values", name, pairs=pairs),) if pairs else (), values=listed)


def _meant(value: str, known: Sequence[str]) -> str | None:
    found = process.extract(value.strip().lower().replace(" ", "_"), known, limit=1, score_cutoff=_SIMILAR)
    return found[0][0] if found else None
