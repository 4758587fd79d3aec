"""Crosswalk answers: which golden record holds an identifier, and what that golden record is called in other systems.

Answers stand in the order of the values. `targets` of a `found` answer holds only what a program may use without a person.
Dates are inclusive at both ends; None is open.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple, NotRequired, TypedDict

from mdm.misswork import NO_TARGET, Miss
from mdm.question import (
    ACTIVE,
    FROM,
    GOLDEN_ID,
    IS_PLAIN,
    KEY,
    OWN,
    PENDING,
    TARGET_ACTIVE,
    TARGET_FROM,
    TARGET_SYSTEM,
    TARGET_TO,
    TARGET_VALUE,
    TO,
    Cells,
    Plan,
    golden_id_of,
)
from mdm.standardise import KEY_LENGTH_MAX
from mdm.systems import GOLDEN

CANDIDATES_MAX = 50  # of an ambiguous answer; a tax number may belong to hundreds


class Outcome(StrEnum):
    """What a lookup found."""

    FOUND = "found"
    AMBIGUOUS = "ambiguous"
    NO_TARGET = "no_target"
    UNKNOWN_VALUE = "unknown_value"
    UNKNOWN_SYSTEM = "unknown_system"


_FOUND, _AMBIGUOUS, _NO_TARGET, _UNKNOWN_VALUE = (
    outcome.value for outcome in (Outcome.FOUND, Outcome.AMBIGUOUS, Outcome.NO_TARGET, Outcome.UNKNOWN_VALUE)
)


class Target(TypedDict):
    """What the golden record is called in another system, and from when to when."""

    system: str
    value: str
    valid_from: str | None
    valid_to: str | None


class Flags(TypedDict, total=False):
    """What else a caller should know; only what applies is present.

    redirected_from  the golden id that was asked for; it was merged into `golden_id`
    valid_from, valid_to  of the value that was asked for
    not_effective    the value is known, but not valid on the date
    target_inactive, target_not_effective  why there is no target: its code is no longer used, or not on the date
    unknown_systems  those names that no identifier system has
    hint             why the value could never have been known: it fails its check digit or format
    """

    redirected_from: str
    pending_review: bool
    inactive: bool
    valid_from: str
    valid_to: str
    not_effective: bool
    target_inactive: bool
    target_not_effective: bool
    unknown_systems: list[str]
    hint: str


class Answer(TypedDict):
    """A dict, not a class: the hot path writes it as JSON as it stands. `candidates`: the golden records that claim the value."""

    outcome: str
    golden_id: str | None
    targets: list[Target]
    flags: Flags
    candidates: NotRequired[list[str]]


class Holder(NamedTuple):
    """One golden record that holds the value asked for, and one of its targets, if it has any."""

    golden_id: str
    system_id: int | None
    value: str
    target_active: bool
    target_valid_from: str | None
    target_valid_to: str | None
    own: bool
    active: bool
    pending: bool
    valid_from: str | None
    valid_to: str | None

    def is_effective(self, day: str) -> bool:
        return _covers(self.valid_from, self.valid_to, day)

    def has_effective_target(self, day: str) -> bool:
        return _covers(self.target_valid_from, self.target_valid_to, day)


def answers(planned: Plan, rows: Iterable[Cells]) -> list[Answer]:
    """What the rows say, one answer per value."""
    found = Rows(planned, rows)
    return [found.answer(index) for index in range(len(planned.keys))]


class Rows:
    """The rows of a plan by the value that was asked for."""

    def __init__(self, planned: Plan, rows: Iterable[Cells]) -> None:
        self._planned = planned
        self._day = planned.question.as_of.isoformat()
        self.by_key: dict[str | None, list[Cells]] = {}
        for cells in rows:
            self.by_key.setdefault(cells[KEY], []).append(cells)

    def answer(self, index: int) -> Answer:
        """The answer to the value at `index` of the question."""
        key = self._planned.keys[index]
        rows = self.by_key.get(key)
        if key is None or rows is None:
            return unknown_value(self._planned, index)
        if len(rows) == 1 and rows[0][IS_PLAIN] == "t":
            return _plain_answer(self._planned, rows[0])
        return _answer(self._planned, self._day, key, [holder(cells) for cells in rows])


def unknown_system(names: Sequence[str]) -> Answer:
    return {"outcome": Outcome.UNKNOWN_SYSTEM.value, "golden_id": None, "targets": [], "flags": {"unknown_systems": list(names)}}


def unknown_value(planned: Plan, index: int) -> Answer:
    """The answer to the value at `index` when nobody knows it.

    A failed check digit alone never blocks a lookup, since dirty values are stored too; it is said when nothing was found.
    """
    hint = _hint(planned, planned.question.values[index])
    flags: Flags = {} if hint is None else {"hint": hint}
    return {"outcome": _UNKNOWN_VALUE, "golden_id": None, "targets": [], "flags": flags}


def _hint(planned: Plan, value: str) -> str | None:
    if planned.source == GOLDEN:
        return "not_understood" if golden_id_of(value) is None else None
    return None if planned.registry.is_source(planned.source) else planned.registry.value_type(planned.source).read(value).problem


def miss_of(planned: Plan, key: str | None, answer: Answer) -> Miss | None:
    """The miss that an answer is, if it is one that somebody could do something about.

    A longer key than anybody can deliver is no work. Known but without a target is work where the keys of one system were asked for, of
    reference data, and nothing explains the absence: that a patient was never at some hospital is no gap.
    """
    domain = planned.question.entity.name
    if answer["outcome"] == _UNKNOWN_VALUE:
        return Miss(domain, planned.source, key) if key is not None and len(key) <= KEY_LENGTH_MAX else None
    if answer["outcome"] != _NO_TARGET or planned.question.entity.phi or len(planned.targets) != 1 or answer["golden_id"] is None:
        return None
    explained = not _EXPLAINED.isdisjoint(answer["flags"]) or not planned.registry.is_source(planned.targets[0])
    return None if explained else Miss(domain, GOLDEN, answer["golden_id"], NO_TARGET, planned.targets[0])


_EXPLAINED = frozenset({"inactive", "not_effective", "target_inactive", "target_not_effective"})


def _plain_answer(planned: Plan, cells: Cells) -> Answer:
    """One golden record with one target in the only system asked for, about which nothing is to be said."""
    golden_id = cells[GOLDEN_ID] or ""
    code = planned.registry.codes[int(cells[TARGET_SYSTEM] or 0)]
    target: Target = {"system": code, "value": cells[TARGET_VALUE] or "", "valid_from": None, "valid_to": None}
    targets = [target] if GOLDEN not in planned.targets else _ordered([target, _as_target(golden_id)])
    return {"outcome": _FOUND, "golden_id": golden_id, "targets": targets, "flags": {}}


def holder(cells: Cells) -> Holder:
    """A row with its meaning."""
    system_id = cells[TARGET_SYSTEM]
    return Holder(
        golden_id=cells[GOLDEN_ID] or "",
        system_id=None if system_id is None else int(system_id),
        value=cells[TARGET_VALUE] or "",
        target_active=cells[TARGET_ACTIVE] in _TRUE,
        target_valid_from=cells[TARGET_FROM],
        target_valid_to=cells[TARGET_TO],
        own=cells[OWN] in _TRUE,
        active=cells[ACTIVE] in _TRUE,
        pending=cells[PENDING] in _TRUE,
        valid_from=cells[FROM],
        valid_to=cells[TO],
    )


_TRUE = frozenset({"t", "true"})  # PostgreSQL writes a boolean in a row and a boolean cast to text differently


def settled(rows: Sequence[Holder], day: str) -> Sequence[Holder]:
    """Those rows that speak for the value: its owner's before mentions, active before inactive, valid on the day before the others."""
    preferences: tuple[Callable[[Holder], bool], ...] = (lambda row: row.own, lambda row: row.active, lambda row: row.is_effective(day))
    for preferred in preferences:
        rows = [row for row in rows if preferred(row)] or rows
    return rows


def _answer(planned: Plan, day: str, key: str, rows: Sequence[Holder]) -> Answer:
    rows = settled(rows, day)
    goldens = sorted({row.golden_id for row in rows})
    if len(goldens) > 1:
        return {"outcome": _AMBIGUOUS, "golden_id": None, "targets": [], "flags": {}, "candidates": goldens[:CANDIDATES_MAX]}
    flags = _flags(planned, day, key, rows[0])
    targets = [] if "not_effective" in flags else _targets(planned, day, rows)
    _explain_absence(flags, planned, day, rows, targets)
    return {"outcome": _outcome(planned, flags, targets), "golden_id": goldens[0], "targets": targets, "flags": flags}


def _outcome(planned: Plan, flags: Flags, targets: Sequence[Target]) -> str:
    if not targets and (planned.targets or "not_effective" in flags):
        return _NO_TARGET
    single = [target["system"] for target in targets if planned.registry.ids[target["system"]] in planned.single]
    return _FOUND if len(single) == len(set(single)) else _AMBIGUOUS


def _flags(planned: Plan, day: str, key: str, row: Holder) -> Flags:
    flags: Flags = {}
    if planned.source == GOLDEN and row.golden_id != key:
        flags["redirected_from"] = key
    if row.pending:
        flags["pending_review"] = True
    if not row.active:
        flags["inactive"] = True
    if row.valid_from is not None:
        flags["valid_from"] = row.valid_from
    if row.valid_to is not None:
        flags["valid_to"] = row.valid_to
    if not row.is_effective(day):
        flags["not_effective"] = True
    return flags


def _targets(planned: Plan, day: str, rows: Sequence[Holder]) -> list[Target]:
    codes = planned.registry.codes
    targets: list[Target] = [
        {"system": codes[row.system_id], "value": row.value, "valid_from": row.target_valid_from, "valid_to": row.target_valid_to}
        for row in rows
        if row.system_id is not None and row.target_active and row.has_effective_target(day)
    ]
    return _ordered([*targets, _as_target(rows[0].golden_id)] if GOLDEN in planned.targets else targets)


def _as_target(golden_id: str) -> Target:
    return {"system": GOLDEN, "value": golden_id, "valid_from": None, "valid_to": None}


def _ordered(targets: list[Target]) -> list[Target]:
    return sorted(targets, key=lambda target: (target["system"], target["value"]))


def _explain_absence(flags: Flags, planned: Plan, day: str, rows: Sequence[Holder], targets: Sequence[Target]) -> None:
    if targets or not planned.targets or "not_effective" in flags:
        return
    if any(row.system_id is not None and row.target_active and not row.has_effective_target(day) for row in rows):
        flags["target_not_effective"] = True
    elif any(row.system_id is not None and not row.target_active for row in rows):
        flags["target_inactive"] = True


def _covers(valid_from: str | None, valid_to: str | None, day: str) -> bool:
    """ISO dates, and PostgreSQL's infinities, sort as text."""
    return (valid_from is None or valid_from <= day) and (valid_to is None or day <= valid_to)
