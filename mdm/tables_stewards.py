"""The tables of stewards at work: preferences, saved views, answers to repeated forms, comments, proposals, break-glass, bulk acts."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from mdm.tables import KEY_TEXT, NOW, Base, Json


class UserPref(Base):
    """How a person wants the pages: density, theme, keys. Never anything of anybody else."""

    __tablename__ = "user_pref"
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principal.id"), primary_key=True)
    prefs: Mapped[Json]


class SavedView(Base):
    """A list with its filters under a name; the filters are codes, never values."""

    __tablename__ = "saved_view"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner: Mapped[str]
    page: Mapped[str]
    name: Mapped[str]
    query: Mapped[str]
    shared: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    __table_args__ = (UniqueConstraint("owner", "page", "name"),)


class RoutingRule(Base):
    """Tasks of a domain, kind and system ('': of each) go to a queue (`mdm.routing`)."""

    __tablename__ = "routing_rule"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    domain: Mapped[str] = mapped_column(server_default="")
    kind: Mapped[str] = mapped_column(server_default="")
    system: Mapped[str] = mapped_column(server_default="")
    queue: Mapped[str]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    __table_args__ = (UniqueConstraint("domain", "kind", "system"),)


class StoredAnswer(Base):
    """What a form was answered the first time: sent again under its key, it gets this and nothing happens twice. Ids and codes only."""

    __tablename__ = "stored_answer"
    principal: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(KEY_TEXT, primary_key=True)
    request: Mapped[str]
    answer: Mapped[Json]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    __table_args__ = (Index("ix_stored_answer_created_at", "created_at"),)


class TaskComment(Base):
    """Something said about a task: a comment, a question to somebody, or the answer to one."""

    __tablename__ = "task_comment"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    task_id: Mapped[UUID] = mapped_column(ForeignKey("task.id"), index=True)
    kind: Mapped[str] = mapped_column(CheckConstraint("kind in ('comment', 'question', 'answer')", "kind"))
    author: Mapped[str]
    asked: Mapped[str | None]
    body: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    __table_args__ = (Index("ix_task_comment_asked", "asked", postgresql_where=text("kind = 'question'")),)


class Proposal(Base):
    """A decision that a second person must agree with; what was proposed is told only to who has decided.

    It is about the task as it was: a trigger withdraws it when the task's version or status changes, and the task is in the list again.
    """

    __tablename__ = "proposal"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    task_id: Mapped[UUID] = mapped_column(ForeignKey("task.id"))
    task_version: Mapped[int]
    proposer: Mapped[str]
    ruling: Mapped[Json]
    status: Mapped[str] = mapped_column(
        CheckConstraint("status in ('open', 'agreed', 'disagreed', 'withdrawn')", "status"), server_default="open"
    )
    approver: Mapped[str | None]
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    settled_at: Mapped[datetime | None]
    __table_args__ = (
        Index("uq_proposal_open", "task_id", unique=True, postgresql_where=text("status = 'open'")),
        CheckConstraint("approver <> proposer", "second_person"),
    )


class BreakGlass(Base):
    """Somebody saw more than their masks allow, for a reason, for a while; somebody else looks at it afterwards."""

    __tablename__ = "break_glass"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    principal: Mapped[str]
    domain: Mapped[str]
    reason: Mapped[str]
    ticket: Mapped[str]
    opened_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    ends_at: Mapped[datetime]
    reviewed_by: Mapped[str | None]
    reviewed_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("ends_at <= opened_at + interval '60 minutes'", "an_hour_at_most"),
        CheckConstraint("reviewed_by <> principal", "reviewed_by_another"),
        Index("ix_break_glass_principal", "principal", "ends_at"),
        Index("ix_break_glass_unreviewed", "opened_at", postgresql_where=text("reviewed_at is null")),
    )


class TaskBatch(Base):
    """One act on many tasks, taken back as one; its rows keep what each task was before."""

    __tablename__ = "task_batch"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    actor: Mapped[str]
    what: Mapped[Json]
    total: Mapped[int]
    done: Mapped[int] = mapped_column(server_default=text("0"))
    state: Mapped[str] = mapped_column(CheckConstraint("state in ('running', 'done', 'undone')", "state"), server_default="running")
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    __table_args__ = (Index("ix_task_batch_actor", "actor", "created_at"),)


class TaskBatchItem(Base):
    """One task of a bulk act: what it was, and after the act, its decision, if one was made."""

    __tablename__ = "task_batch_item"
    batch_id: Mapped[UUID] = mapped_column(ForeignKey("task_batch.id"), primary_key=True)
    task_id: Mapped[UUID] = mapped_column(ForeignKey("task.id"), primary_key=True)
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    note: Mapped[str | None] = mapped_column(Text)
