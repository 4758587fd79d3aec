"""A caller asks the crosswalk: may they, what do they see of the answer, and who was read.

Scope is checked before anything is computed, so that no outcome tells of systems out of scope. What is read of patients leaves an audit row
in the same transaction.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit, policy
from mdm.access import Actor, Verb
from mdm.crosswalk import Answer, Outcome, answers, miss_of, unknown_system, unknown_value
from mdm.entity import Sensitivity
from mdm.errors import Forbidden
from mdm.identifier_systems import BY_CODE
from mdm.misswork import Miss
from mdm.question import Plan, Question, ask, plan
from mdm.systems import SystemRegistry, registry
from mdm.validity import Reason, Verdict, validate

_FOUND = Outcome.FOUND.value


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, in which request."""

    actor: Actor
    request_id: str


@dataclass(frozen=True, slots=True)
class Consulted:
    """The answers, and what was asked in vain, into which systems."""

    answers: list[Answer]
    targets: tuple[str, ...]
    missed: list[Miss]


def consult(session: Session, asker: Asker, question: Question) -> Consulted:
    """One answer per value, in order, of one snapshot. Raises Forbidden outside the asker's scope."""
    systems = registry(session)
    check_scope(asker.actor, systems, question)
    planned = plan(systems, question)
    if not isinstance(planned, Plan):
        return Consulted([unknown_system(planned) for _ in question.values], (), [])
    found = answers(planned, ask(session, planned))
    if asker.actor.systems is not None:
        found = _visible(session, asker.actor, planned, found)
    if question.entity.phi:
        _record(session, asker, planned, found)
    return Consulted(found, planned.targets, missed(planned, found))


def check_scope(actor: Actor, systems: SystemRegistry, question: Question) -> None:
    """Raise Forbidden unless the actor may look up the domain, these source systems' keys, and values as secret as these."""
    domain = question.entity.name
    policy.check(actor, Verb.LOOKUP, domain)
    for name in (question.source, *question.targets):
        code = systems.resolve(name)
        if code is None and actor.systems is not None:
            raise Forbidden  # as for a system out of scope, which then cannot be told from none
        if code is not None and systems.is_source(code):
            policy.check(actor, Verb.LOOKUP, domain, code)
    if any(_is_secret(systems, name) for name in question.targets):
        policy.check(actor, Verb.UNMASK, domain)


def _is_secret(systems: SystemRegistry, name: str) -> bool:
    code = systems.resolve(name)
    return code in BY_CODE and BY_CODE[code].sensitivity is Sensitivity.SECRET


def _visible(session: Session, actor: Actor, planned: Plan, found: list[Answer]) -> list[Answer]:
    """A golden record to which no system in scope contributes does not exist for the actor."""
    seen = {
        str(golden) for golden in policy.visible(session, actor, [UUID(golden) for golden in _goldens(found)], planned.question.known_at)
    }
    return [_as_seen(planned, index, answer, seen) for index, answer in enumerate(found)]


def _as_seen(planned: Plan, index: int, answer: Answer, seen: set[str]) -> Answer:
    if answer["golden_id"] is not None:
        return answer if answer["golden_id"] in seen else unknown_value(planned, index)
    if "candidates" in answer:
        known = [golden for golden in answer["candidates"] if golden in seen]
        return {**answer, "candidates": known} if known else unknown_value(planned, index)
    return answer


def _goldens(found: Iterable[Answer]) -> list[str]:
    goldens = [golden for answer in found for golden in (answer["golden_id"], *answer.get("candidates", ())) if golden is not None]
    return list(dict.fromkeys(goldens))


def _record(session: Session, asker: Asker, planned: Plan, found: Sequence[Answer]) -> None:
    goldens = _goldens(found)
    audit.record(
        session,
        asker.actor,
        "crosswalk:lookup",
        domain=planned.question.entity.name,
        subjects=[UUID(golden) for golden in goldens],
        fields=planned.targets,
        request_id=asker.request_id,
        outcome=found[0]["outcome"] if len(found) == 1 else "done",
        detail={"system": planned.source, "asked": len(found), "known": len(goldens)},
    )


def missed(planned: Plan, found: Sequence[Answer]) -> list[Miss]:
    """What was asked in vain, once per time it was asked for."""
    misses = [miss_of(planned, key, answer) for key, answer in zip(planned.keys, found, strict=True) if answer["outcome"] != _FOUND]
    return [miss for miss in misses if miss is not None]


def verify(session: Session, asker: Asker, question: Question) -> Verdict:
    """Whether the question's one value is good on its day. Raises Forbidden outside the asker's scope."""
    systems = registry(session)
    check_scope(asker.actor, systems, question)
    verdict = validate(session, systems, question)
    golden = [] if verdict.golden_id is None else [UUID(verdict.golden_id)]
    if golden and not policy.visible(session, asker.actor, golden):
        verdict, golden = Verdict(valid=False, reason=Reason.UNKNOWN_VALUE), []
    if question.entity.phi:
        audit.record(
            session,
            asker.actor,
            "crosswalk:validate",
            domain=question.entity.name,
            subjects=golden,
            request_id=asker.request_id,
            outcome=verdict.reason or "valid",
            detail={"system": systems.resolve(question.source) or ""},
        )
    return verdict
