"""Two people ask for the same, then it happens: what the first one asked for is kept, and nobody agrees to anything else.

Who asked stands in `load`, what for in the report of the plan, as `asked`: a new plan begins without.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.access import Actor
from mdm.db import execute
from mdm.errors import Conflict, FieldProblem, Forbidden
from mdm.jsonio import dumps


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks for: to apply a plan, in which rows and despite which guard rails, or to undo the load."""

    what: str
    wave: Mapping[str, str] | None = None
    despite: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        return {"what": self.what, "wave": dict(self.wave or {}), "despite": sorted(set(self.despite))}


@dataclass(frozen=True, slots=True)
class Question:
    """How far two people are: who has asked for what, and who has agreed."""

    load_id: UUID
    plan_id: UUID | None
    asked_by: str | None
    approved_by: str | None
    asked: Mapping[str, Any] | None


def is_agreed(session: Session, actor: Actor, question: Question, wanted: Asked) -> bool:
    """Whether two have asked for exactly this; what was asked before it is forgotten where it was settled, or about another act.

    Raises Conflict where the first one asked for something else.
    """
    said = wanted.as_json()
    if question.approved_by is not None and question.asked == said:  # it goes on
        return True
    is_open = question.asked_by is not None and question.approved_by is None and (question.asked or {}).get("what") == wanted.what
    if not is_open or question.asked_by == actor.name:
        _ask(session, actor, question, said)
        return False
    _check_same(question, said)
    execute(session, "update load set approved_by = %s where id = %s", (actor.name, question.load_id))
    return True


def _ask(session: Session, actor: Actor, question: Question, said: Mapping[str, Any]) -> None:
    execute(session, "update load set asked_by = %s, approved_by = null where id = %s", (actor.name, question.load_id))
    execute(
        session,
        "update load_plan set report = report || jsonb_build_object('asked', %s::jsonb) where id = %s",
        (dumps(said).decode(), question.plan_id),
    )


def take_back(session: Session, actor: Actor, question: Question) -> None:
    """The question is as if nobody had asked. Raises Conflict where none is open, Forbidden for whoever did not ask."""
    if question.asked_by is None or question.approved_by is not None:
        raise Conflict("nobody waits for a second person: there is no request to withdraw")
    if question.asked_by != actor.name:
        raise Forbidden("only who asked may withdraw the request")
    execute(session, "update load set asked_by = null where id = %s", (question.load_id,))
    execute(session, "update load_plan set report = report - 'asked' where id = %s", (question.plan_id,))


def _check_same(question: Question, said: Mapping[str, Any]) -> None:
    """Names what differs, and no value: a wave may be of patients."""
    asked = question.asked or {}
    others = [name for name in ("wave", "despite") if asked.get(name) != said[name]]
    if others:
        problems = tuple(FieldProblem("asked_otherwise", f"/{name}", f"{question.asked_by} asked with another `{name}`") for name in others)
        raise Conflict("a second person agrees by asking for the same: see `asked` in the plan's report", problems)
