"""Mapping rules out of a file: rows become drafts of a set, which a second person puts in force as any other drafts.

A column is called what it becomes: an input or output of the set, `share`, `valid_from`, `valid_to` or `note`. The input of a domain says
whose keys it has (`department@ehr-north`); without a system its cells are golden ids. Rows that follow each other and ask for the same are
one rule, split. A rule that the set has already, as a draft or in force, is not written again: the same file twice changes nothing.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby

from sqlalchemy.orm import Session

from mdm.errors import FieldProblem, Invalid, UnusableInput
from mdm.jsonio import canonical
from mdm.load_table import BadRow, Cells, RowProblem, RowReject, Table
from mdm.load_targets import VALID_FROM, VALID_TO, Binding
from mdm.mapping import RULES_MAX, Given, NewRule, all_rules, share_of, share_text, write_drafts
from mdm.mapping_sets import By, Definition
from mdm.values.date import DATE

SHARE, NOTE = "share", "note"
_OTHERS = (SHARE, VALID_FROM, VALID_TO, NOTE)
_WHOLE_DATE = len("2000-01-01")
_PLACE = re.compile(r"/rules/(\d+)/(?:conditions/|splits/\d+/outputs/)?([^/]*)")


@dataclass(frozen=True, slots=True)
class RuleRows:
    """One rule, and the rows that say it."""

    rule: NewRule
    rows: tuple[tuple[int, Cells], ...]


@dataclass(slots=True)
class Written:
    """What became of rows: drafts, rules that were there already, rejected rows; `stated`: what is known of from now on."""

    drafts: int = 0
    unchanged: int = 0
    rejected: list[BadRow] = field(default_factory=list)
    stated: set[bytes] = field(default_factory=set)

    def add(self, other: "Written") -> None:
        """What became of further rows."""
        self.drafts += other.drafts
        self.unchanged += other.unchanged
        self.rejected += other.rejected
        self.stated |= other.stated


class RuleReader:
    """Rows of one table as rules of one set. Raises UnusableInput when the columns cannot be used."""

    def __init__(self, definition: Definition, header: Sequence[str], columns: Sequence[Binding]) -> None:
        self._inputs = {each.name: each.domain for each in definition.inputs}
        self._outputs = [each.name for each in definition.outputs]
        named = {each.column: each.target for each in columns}
        self._places = [
            (place, *_target(named.get(column, column))) for place, column in enumerate(header) if not columns or column in named
        ]
        self.columns = {name: header[place] for place, name, _ in self._places}
        self._check(header, columns)

    def _check(self, header: Sequence[str], columns: Sequence[Binding]) -> None:
        known = {*self._inputs, *self._outputs, *_OTHERS}
        problems = [f"there is no column {each.column!r}" for each in columns if each.column not in header]
        problems += [f"column {header[place]!r} is no input or output of the set" for place, name, _ in self._places if name not in known]
        problems += [f"say which column is {name}" for name in self._outputs if name not in self.columns]
        problems += [f"two columns are {name}" for name in self.columns if sum(each == name for _, each, _ in self._places) > 1]
        if problems:
            raise UnusableInput("the columns cannot be used", tuple(FieldProblem("bad_columns", "/columns", each) for each in problems))

    def rules(self, table: Table, written: Written) -> Iterator[RuleRows]:
        """Rules in the order of the file; rows that cannot be read go to `written`."""
        good = (row for batch in table.batches(RULES_MAX) for row in self._sound(batch.numbers, batch.rows, batch.rejected, written))
        for _, group in groupby(good, key=lambda row: self._asked(row[1])):
            rows = tuple(group)
            yield RuleRows(self._rule([cells for _, cells in rows]), rows)

    def _sound(self, numbers: Sequence[int], rows: Sequence[Cells], bad: Sequence[BadRow], written: Written) -> Iterator[tuple[int, Cells]]:
        written.rejected += bad
        for number, cells in zip(numbers, rows, strict=True):
            wrong = [name for name in (VALID_FROM, VALID_TO) if (text := self._cell(cells, name)) and _day(text) is None]
            if wrong:
                problems = tuple(RowProblem("invalid_date", self.columns[name], "a whole date, as 2026-07-01") for name in wrong)
                written.rejected.append(BadRow(number, cells, RowReject(problems)))
            else:
                yield number, cells

    def _asked(self, cells: Cells) -> bytes:
        """What the rows of one rule have in common."""
        return canonical([self._conditions(cells), self._cell(cells, VALID_FROM), self._cell(cells, VALID_TO)])

    def _conditions(self, cells: Cells) -> dict[str, Given]:
        return {
            name: text if system is None else {"system": system, "value": text}
            for place, name, system in self._places
            if name in self._inputs and (text := (cells[place] or "").strip())
        }

    def _rule(self, rows: Sequence[Cells]) -> NewRule:
        splits = [(self._cell(cells, SHARE) or "100", {name: self._cell(cells, name) for name in self._outputs}) for cells in rows]
        start, end = (_day(self._cell(rows[0], name)) for name in (VALID_FROM, VALID_TO))
        return NewRule(self._conditions(rows[0]), splits, start, end, note=self._cell(rows[0], NOTE))

    def _cell(self, cells: Cells, name: str) -> str:
        return next(((cells[place] or "").strip() for place, each, _ in self._places if each == name), "")


def _target(text: str) -> tuple[str, str | None]:
    name, _, system = text.partition("@")
    return name, system or None


def _day(text: str) -> date | None:
    value = DATE.read(text).value or "" if text else ""
    return date.fromisoformat(value) if len(value) == _WHOLE_DATE else None


def stated(session: Session, code: str) -> set[bytes]:
    """What the drafts and the rules in force of a set say, each as one value to compare."""
    return {
        _stated(NewRule(rule.written, [(split.share, split.values) for split in rule.splits], rule.valid_from, rule.valid_to))
        for rule in all_rules(session, code, ("draft", "approved"))
    }


def _stated(rule: NewRule) -> bytes:
    shares = [(None if (share := share_of(text)) is None else share_text(share), dict(values)) for text, values in rule.splits]
    return canonical([dict(rule.conditions), sorted(shares, key=canonical), rule.valid_from, rule.valid_to])


def write_rules(
    session: Session, by: By, code: str, found: Sequence[RuleRows], known: Collection[bytes], columns: Mapping[str, str]
) -> Written:
    """Drafts for those of at most RULES_MAX rules that are new and can be written; the rows of the others are rejected with the reason."""
    written = Written()
    new: list[RuleRows] = []
    for each in found:
        what = _stated(each.rule)
        if what in known or what in written.stated:
            written.unchanged += 1
        else:
            written.stated.add(what)
            new.append(each)
    while new:
        try:
            written.drafts = len(write_drafts(session, by, code, [each.rule for each in new]))
        except Invalid as refused:  # raised before anything is written
            new = _without(new, refused, columns, written)
        else:
            break
    return written


def _without(new: Sequence[RuleRows], refused: Invalid, columns: Mapping[str, str], written: Written) -> list[RuleRows]:
    """The rules that nothing was said against."""
    why: dict[int, list[RowProblem]] = {}
    for problem in refused.problems:
        at = _PLACE.match(problem.pointer)
        if at is None:
            raise refused
        why.setdefault(int(at[1]), []).append(RowProblem(problem.code, columns.get(at[2], at[2]), problem.message))
    if not why:
        raise refused
    for place, problems in why.items():
        written.rejected += [BadRow(number, cells, RowReject(tuple(problems))) for number, cells in new[place].rows]
    return [each for place, each in enumerate(new) if place not in why]
