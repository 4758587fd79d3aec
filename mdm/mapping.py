"""Mapping rules: several inputs to several outputs, the most specific approved rule in force answers.

A rule asks for some of its set's inputs and lets the others be anything. Equal conditions never overlap in time: the database refuses it.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from hashlib import blake2b
from typing import Protocol

from sqlalchemy.orm import Session

from mdm.db import execute
from mdm.ids import new_id
from mdm.jsonio import canonical, dumps


class Rule(Protocol):
    """A rule as a load or the seed brings it."""

    @property
    def set(self) -> str: ...
    @property
    def inputs(self) -> Mapping[str, str]: ...
    @property
    def outputs(self) -> Mapping[str, str]: ...
    @property
    def valid_from(self) -> date | None: ...
    @property
    def valid_to(self) -> date | None: ...


def put_rules(session: Session, rules: Iterable[Rule]) -> int:
    """Add approved rules, their sets made where new; the number of rules. Rules that stand already are left alone."""
    listed = list(rules)
    sets: dict[str, tuple[set[str], set[str]]] = {}
    for rule in listed:
        inputs, outputs = sets.setdefault(rule.set, (set(), set()))
        inputs.update(rule.inputs)
        outputs.update(rule.outputs)
    for code, (inputs, outputs) in sets.items():
        execute(
            session,
            "insert into mapping_set (code, label, inputs, outputs) values (%s, %s, %s, %s) on conflict (code) do nothing",
            (code, code.replace("-", " ").capitalize(), sorted(inputs), sorted(outputs)),
        )
    rows = [
        {
            "id": new_id(),
            "s": rule.set,
            "c": dict(rule.inputs),
            "h": conditions_hash(rule.set, rule.inputs),
            "o": dict(rule.outputs),
            "f": rule.valid_from,
            "t": rule.valid_to,
        }
        for rule in listed
    ]
    return execute(
        session,
        "insert into mapping_rule (id, set_code, conditions, conditions_hash, outputs, status, valid_from, valid_to)"
        " select x.id, x.s, x.c, x.h, x.o, 'approved', x.f, x.t from jsonb_to_recordset(%s::jsonb)"
        " as x(id uuid, s text, c jsonb, h bigint, o jsonb, f date, t date) on conflict do nothing",
        (dumps(rows).decode(),),
    )


def conditions_hash(set_code: str, conditions: Mapping[str, str]) -> int:
    """Equal conditions of one set have equal hashes, which is what the exclusion constraint compares."""
    digest = blake2b(canonical([set_code, dict(conditions)]), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True) >> 1  # room for the constraint's range, which is half open
