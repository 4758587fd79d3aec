"""What other survivorship rules would change, on the golden records that are stored. Nothing is written."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit, mask, policy
from mdm.access import Verb
from mdm.db import fetch
from mdm.derive import golden_values
from mdm.entity import EntityType, Survive
from mdm.errors import FieldProblem, Invalid
from mdm.members import members_of
from mdm.reading import Reader
from mdm.survive import Survivor
from mdm.systems import registry

LOOKED_AT_MAX = 5_000
SAMPLES = 20
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules instead of the declared ones: attribute -> rule, attribute or group -> kinds of system in order of trust."""

    survive: Mapping[str, str]
    authorities: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Sample:
    """A golden value that would change, masked as the reader sees it."""

    golden_id: UUID
    attribute: str
    before: object
    after: object


@dataclass(frozen=True, slots=True)
class Preview:
    """How many golden records were looked at, the newest first; how many would change, per attribute; and some of them."""

    looked_at: int
    golden_records: int
    attributes: Mapping[str, int]
    samples: tuple[Sample, ...]


def with_rules(entity: EntityType, rules: Rules) -> EntityType:
    """The declaration with these rules in it. Raises Invalid for attributes, groups and rules that there are not."""
    known = {a.name: a for a in entity.attributes}
    groups = {a.group for a in entity.attributes if a.group}
    problems = [("unknown_attribute", f"/survive/{name}") for name in rules.survive if name not in known]
    problems += [("unknown_choice", f"/survive/{name}") for name, rule in rules.survive.items() if rule not in set(Survive)]
    problems += [("unknown_attribute", f"/authorities/{name}") for name in rules.authorities if name not in {*known, *groups}]
    if problems:
        listed = f"attributes {', '.join(known)}; rules {', '.join(Survive)}"
        raise Invalid(problems=tuple(FieldProblem(code, pointer, listed) for code, pointer in problems))
    attributes = tuple(replace(a, survive=Survive(rules.survive.get(a.name, a.survive))) for a in entity.attributes)
    trusted = {**dict(entity.authorities), **{name: tuple(kinds) for name, kinds in rules.authorities.items()}}
    return replace(entity, attributes=attributes, authorities=tuple(trusted.items()))


def preview(session: Session, entity: EntityType, reader: Reader, rules: Rules) -> Preview:
    """Derive stored golden records by both sets of rules and compare."""
    policy.check(reader.actor, Verb.CONFIGURE, entity.name)
    other = with_rules(entity, rules)
    rows = fetch(
        session,
        "select id from golden_record where domain = %s and status = 'active' order by id desc limit %s",
        (entity.name, LOOKED_AT_MAX),
    )
    goldens = [row[0] for row in rows]
    found = [
        sample
        for start in range(0, len(goldens), _BATCH)
        for sample in _differences(session, entity, other, goldens[start : start + _BATCH])
    ]
    shown = tuple(_masked(entity, reader, sample) for sample in found[:SAMPLES])
    if entity.phi:
        subjects = sorted({sample.golden_id for sample in shown})
        fields = sorted({sample.attribute for sample in shown})
        audit.record(
            session, reader.actor, "golden:preview", domain=entity.name, subjects=subjects, fields=fields, request_id=reader.request_id
        )
    return Preview(len(goldens), len({s.golden_id for s in found}), dict(Counter(s.attribute for s in found)), shown)


def _differences(session: Session, entity: EntityType, other: EntityType, goldens: Sequence[UUID]) -> list[Sample]:
    systems = registry(session)
    found = []
    for golden_id, members in members_of(session, goldens).items():
        now, then = golden_values(entity, members, systems), golden_values(other, members, systems)
        found += [
            Sample(golden_id, a.name, _value(now, a.name), _value(then, a.name))
            for a in entity.attributes
            if _value(now, a.name) != _value(then, a.name)
        ]
    return found


def _value(survivors: Mapping[str, Survivor], name: str) -> Any:
    return survivors[name].value if name in survivors else None


def _masked(entity: EntityType, reader: Reader, sample: Sample) -> Sample:
    attribute = entity.attribute(sample.attribute)
    before, after = (None if v is None else mask.value(reader.actor, attribute, v) for v in (sample.before, sample.after))
    return replace(sample, before=before, after=after)
