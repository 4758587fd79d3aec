"""One task as the review shell shows it. The shell is one for all kinds; a kind has its body: one function and one template."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from flask import g
from sqlalchemy.orm import Session

from api.context import actor, concord, request_id
from mdm import casework, clusters, desk, finding_cases, policy, tasks, tiers, verdicts, workbench
from mdm.access import Verb
from mdm.db import Row, fetch
from mdm.desk import MERGE, MOVE, Desk, Said
from mdm.entity import EntityType
from mdm.errors import NotFound
from mdm.glass import unmasked
from mdm.misswork import KIND as MAPPING
from mdm.reading import Reader
from mdm.tasks import TaskView
from mdm.tiers import Tier
from stewardship_ui.comparison import compare
from stewardship_ui.words import KINDS, Kind


@dataclass(frozen=True, slots=True)
class Item:
    """A task with all that its page shows. `body` is None once it is closed; `key` is the form's, used once. `people` can be asked.

    `blind`: a second person looks at a proposal. What was proposed, and what the proposer said, is not here.
    """

    task: TaskView
    entity: EntityType
    kind: Kind | None
    desk: Desk
    tier: Tier | None
    body: Any
    candidate: UUID | None
    proposer: str | None
    thread: tuple[Said, ...]
    decision: Row | None
    key: str
    may_decide: bool
    people: tuple[str, ...]

    @property
    def blind(self) -> bool:
        return self.proposer is not None and self.proposer != actor().name

    @property
    def mine(self) -> bool:
        return self.proposer is not None and self.proposer == actor().name


def read_item(session: Session, task_id: UUID, candidate: UUID | None = None) -> Item:
    """The task, in scope and audited where it is of patients. Raises NotFound."""
    task = visible(session, task_id)
    entity = concord().entities[task.domain]
    reader = reader_of(task.domain)
    is_open = task.status == "open"
    chosen = _candidate(task, candidate)
    proposer = verdicts.proposer(session, task.id) if is_open else None
    thread = tuple(said for said in desk.thread(session, task.id) if proposer in {None, actor().name} or said.author != proposer)
    return Item(
        task=task,
        entity=entity,
        kind=KINDS.get(task.kind),
        desk=desk.read(session, task.id),
        tier=tiers.tier(session, entity, task, chosen) if is_open else None,
        body=BODIES.get(task.kind, _nothing)(session, entity, reader, _Asked(task, chosen)) if is_open else None,
        candidate=chosen,
        proposer=proposer,
        thread=thread,
        decision=_decision(session, task.decision_id),
        key=secrets.token_urlsafe(18),
        may_decide=policy.can(actor(), Verb.DECIDE, task.domain),
        people=tuple(desk.people(session, [task.id])) if is_open else (),
    )


def reader_of(domain: str) -> Reader:
    """Who reads this domain now: under a break-glass of theirs with values whole."""
    return Reader(unmasked(actor()) if domain in g.get("glass", {}) else actor(), request_id())


def visible(session: Session, task_id: UUID) -> TaskView:
    """A task of a domain, of golden records and of systems that exist for this reader. Raises NotFound."""
    return tasks.get_visible(session, actor(), task_id)


def _candidate(task: TaskView, asked: UUID | None) -> UUID | None:
    if task.kind != "review" or len(task.goldens) < 2:
        return None
    return asked if asked in task.goldens[1:] else task.goldens[1]


def _decision(session: Session, decision_id: UUID | None) -> Row | None:
    """Who said what, when and why."""
    if decision_id is None:
        return None
    return fetch(session, "select kind, actor, created_at, reason, id from decision where id = %s", (decision_id,))[0]


@dataclass(frozen=True, slots=True)
class _Asked:
    task: TaskView
    candidate: UUID | None


def _pair(session: Session, entity: EntityType, reader: Reader, asked: _Asked) -> object:
    if asked.candidate is None:
        raise NotFound
    return casework.pair(session, entity, reader, asked.task.goldens[0], asked.candidate, fixed=g.prefs.rows == "fixed")


def _joined(session: Session, entity: EntityType, reader: Reader, asked: _Asked) -> object:
    """A pair is compared; of more, the golden records are listed."""
    goldens = asked.task.goldens
    return casework.pair(session, entity, reader, goldens[0], goldens[1], fixed=g.prefs.rows == "fixed") if len(goldens) == 2 else {}


def _cluster(session: Session, entity: EntityType, reader: Reader, asked: _Asked) -> object:
    return clusters.read(session, entity, reader, asked.task.goldens[0], asked.task.detail.get("parts", ()))


def _versions(session: Session, entity: EntityType, reader: Reader, asked: _Asked) -> object:
    return compare(session, entity, reader, asked.task)


def _kept(session: Session, entity: EntityType, reader: Reader, asked: _Asked) -> object:
    """What taking a decision back could not bring back: the records, beside those that they are with."""
    return _beside(session, entity, reader, asked, [each["record_id"] for each in asked.task.detail["kept"]])


def _leaving(session: Session, entity: EntityType, reader: Reader, asked: _Asked) -> object:
    """What is to move, beside the records that it would leave."""
    return _beside(session, entity, reader, asked, [str(record) for record in asked.task.records])


def _beside(session: Session, entity: EntityType, reader: Reader, asked: _Asked, second: list[str]) -> object:
    """The subject's records in two groups."""
    found = clusters.read(session, entity, reader, asked.task.goldens[0], [second])
    return replace(found, records=tuple(replace(each, group=2 if str(each.id) in second else 1) for each in found.records))


def _miss(session: Session, entity: EntityType, reader: Reader, asked: _Asked) -> object:
    return workbench.shown(session, entity, reader, asked.task).detail


def _carriers(session: Session, entity: EntityType, reader: Reader, asked: _Asked) -> object:
    return finding_cases.shared(session, entity, reader, asked.task)


def _drifted(session: Session, entity: EntityType, reader: Reader, asked: _Asked) -> object:
    return finding_cases.drifted(session, entity, reader, asked.task)


def _nothing(session: Session, entity: EntityType, reader: Reader, asked: _Asked) -> object:
    del session, entity, reader, asked
    return {}


Body = Callable[[Session, EntityType, Reader, _Asked], object]
BODIES: Mapping[str, Body] = {
    "review": _pair,
    "cut": _cluster,
    "split": _cluster,
    "overlay": _versions,
    "undo": _kept,
    MERGE: _joined,
    MOVE: _leaving,
    MAPPING: _miss,
    "oversize": _cluster,
    "shared_identifier": _carriers,
    "drift": _drifted,
}
