"""Acts on golden records that one person may not do alone: each becomes a task whose answer they propose, and a second person decides it.

Whoever asks for the same act as the second person has said the same, whether on the task or in the way of the first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import clusters, desk, tasks, verdicts
from mdm.db import rehearsed
from mdm.entity import EntityType
from mdm.identity import Act
from mdm.members import members_of
from mdm.tasks import Ruling
from mdm.verdicts import Form

UNDECIDED = ("proposed", "disagreed")  # what became of an answer that decided nothing yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An act as a task asks about it: its kind, the golden records, the answer; of a split the groups, of a move what is to go."""

    kind: str
    goldens: Sequence[UUID]
    verdict: str
    groups: tuple[tuple[UUID, ...], ...] = ()
    records: Sequence[UUID] = ()


def propose(session: Session, entity: EntityType, asked: Asked, act: Act, what: Callable[[], object]) -> dict[str, Any]:
    """The answer is proposed, or, where another has proposed one, given.

    Raises as `verdicts.settle`, and as `what`, the act itself: what cannot be done is not proposed either.
    """
    rehearsed(session, what)
    task_id = clusters.ask(session, entity, act.actor, asked.goldens[0]) if asked.kind == "split" else _task(session, entity, asked, act)
    ruling = Ruling(asked.verdict, tasks.get(session, task_id).version, reason=act.reason, hold=act.hold, groups=asked.groups)
    return verdicts.say(session, entity, task_id, act.actor, Form(ruling=ruling, propose=True), act.request_id)


def _task(session: Session, entity: EntityType, asked: Asked, act: Act) -> UUID:
    """Of a merge one task whichever of its golden records was named first."""
    records = asked.records or [m.id for found in members_of(session, asked.goldens).values() for m in found]
    named = sorted(asked.goldens) if asked.kind == desk.MERGE else [*asked.goldens, *sorted(records)]
    key = f"{asked.kind}:{entity.name}:{sha256(' '.join(map(str, named)).encode()).hexdigest()[:32]}"
    wanted = desk.Wanted(domain=entity.name, kind=asked.kind, key=key, goldens=asked.goldens, records=records)
    return desk.want(session, act.actor, wanted)
