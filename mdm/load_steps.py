"""Named steps that repair the cells of one column: each says what it did to how many rows, and can be switched off. Pure.

trim           blanks at both ends and doubled ones go
date_order     `order` DMY, MDY or YMD: dates of digits are written as ISO
serial_dates   days since 1899-12-30, as spreadsheets count, are written as ISO
pad_zeros      `width`: digits get back the zeros that a spreadsheet took from their front
plain_numbers  1.23E+11 and 123.0 are written out
map_values     `pairs`: one value becomes another; an empty one makes the cell empty
split          `separator`: one cell becomes several values, where the target has many
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from mdm.errors import FieldProblem, UnusableInput

Cell = Callable[[str], str]

KINDS = ("trim", "date_order", "serial_dates", "pad_zeros", "plain_numbers", "map_values", "split")
ORDERS = ("DMY", "MDY", "YMD")
_TYPES: Mapping[str, type] = {"kind": str, "column": str, "order": str, "width": int, "separator": str, "on": bool}
_FIELDS = (*_TYPES, "pairs")
_CALLED: Mapping[type, str] = {str: "a text", int: "a whole number", bool: "true or false"}
_EPOCH = date(1899, 12, 30)
_DATE = re.compile(r"\s*(\d{1,4})([-/. ])(\d{1,2})\2(\d{1,4})((?:[T ]\d{1,2}:\d{2}.*)?)\s*", re.ASCII)
_SERIAL = re.compile(r"\d{4,5}(?:\.\d+)?", re.ASCII)
SCIENTIFIC = re.compile(r"[+-]?\d(?:[.,]\d+)?[eE][+-]?\d{1,3}", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+\.0+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Step:
    """One repair of one column. Switched off, it stays in the list and does nothing."""

    kind: str
    column: str
    order: str = ""
    width: int = 0
    pairs: tuple[tuple[str, str], ...] = ()
    separator: str = ""
    on: bool = True

    def __post_init__(self) -> None:
        wrong = (
            (self.kind not in KINDS, f"the steps are {', '.join(KINDS)}"),
            (self.kind == "date_order" and self.order not in ORDERS, f"order is one of {', '.join(ORDERS)}"),
            (self.kind == "pad_zeros" and not 0 < self.width <= 50, "width is 1 to 50"),
            (self.kind == "split" and not self.separator, "say the separator"),
            (self.kind == "map_values" and not self.pairs, "say which values become which"),
        )
        for is_wrong, remedy in wrong:
            if is_wrong:
                raise UnusableInput(f"step {self.kind} of column {self.column}: {remedy}")

    @property
    def title(self) -> str:
        detail = (
            self.order or (str(self.width) if self.width else "") or self.separator or (f"{len(self.pairs)} values" if self.pairs else "")
        )
        return f"{self.kind} {self.column}" + (f" ({detail})" if detail else "")

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def read_step(raw: Mapping[str, Any]) -> Step:
    """A step out of what `as_json` made."""
    return Step(**{**raw, "pairs": tuple((old, new) for old, new in raw.get("pairs", ()))})


def given_step(raw: object) -> Step:
    """A step as somebody wrote it. Raises UnusableInput, with a problem for each field that is missing or of another type."""
    if not isinstance(raw, Mapping):
        raise UnusableInput("a step is an object with at least kind and column")
    problems = [FieldProblem("required", f"/{name}", f"say the {name}") for name in ("kind", "column") if name not in raw]
    problems += [FieldProblem("unknown_field", f"/{name}", f"a step has {', '.join(_FIELDS)}") for name in raw if name not in _FIELDS][:1]
    for name, kind in _TYPES.items():
        if name in raw and type(raw[name]) is not kind:  # a flag is a whole number to Python, but to nobody who writes a step
            problems.append(FieldProblem("wrong_type", f"/{name}", f"{name} is {_CALLED[kind]}"))
    if not _are_pairs(raw.get("pairs", ())):
        problems.append(FieldProblem("wrong_type", "/pairs", "pairs are lists of two texts"))
    if problems:
        raise UnusableInput("a step cannot be used", tuple(problems))
    return read_step(raw)


def _are_pairs(pairs: object) -> bool:
    return isinstance(pairs, list | tuple) and all(
        isinstance(pair, list | tuple) and len(pair) == 2 and all(isinstance(text, str) for text in pair) for pair in pairs
    )


def check_steps(header: Sequence[str], steps: Iterable[Step]) -> None:
    """Raise UnusableInput for a step of a column that the file has not."""
    for step in steps:
        if step.column not in header:
            raise UnusableInput(f"step {step.kind}: the file has no column {step.column}")


def cell_of(step: Step) -> Cell:
    """What the step makes of one cell that is not empty. What it does not understand stays as it is."""
    match step.kind:
        case "trim":
            return lambda cell: " ".join(cell.split())
        case "date_order":
            return lambda cell: _ordered(cell, step.order)
        case "serial_dates":
            return _serial
        case "pad_zeros":
            return lambda cell: cell.zfill(step.width) if cell.isascii() and cell.isdigit() else cell
        case "plain_numbers":
            return _plain
        case "map_values":
            known = dict(step.pairs)
            return lambda cell: known.get(cell.strip(), cell)
        case _:
            return lambda cell: cell


def _ordered(cell: str, order: str) -> str:
    found = _DATE.fullmatch(cell)
    if found is None:
        return cell
    parts = dict(zip(order, (found[1], found[3], found[4]), strict=True))
    year = parts["Y"]
    if len(parts["D"]) > 2 or len(parts["M"]) > 2 or len(year) not in {2, 4}:
        return cell
    if len(year) == 2:  # the century is the business of the kind of value, which reads month/day/year
        return f"{parts['M']}/{parts['D']}/{year}"
    return f"{year}-{parts['M']:0>2}-{parts['D']:0>2}"


def _serial(cell: str) -> str:
    if _SERIAL.fullmatch(cell) is None:
        return cell
    return (_EPOCH + timedelta(days=int(float(cell)))).isoformat()


def _plain(cell: str) -> str:
    if SCIENTIFIC.fullmatch(cell) is None and _WHOLE.fullmatch(cell) is None:
        return cell
    try:
        return format(Decimal(cell.replace(",", ".")).normalize(), "f")
    except InvalidOperation:
        return cell
