"""The tables around identity: decisions, tasks, events, jobs, access, audit."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, Identity, Index, LargeBinary, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from mdm.tables import KEY_TEXT, NOW, Base, Json

UuidList = ARRAY(Uuid)


class Decision(Base):
    """What a person, a rule or a load said. Appended, never changed: a trigger refuses it."""

    __tablename__ = "decision"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    domain: Mapped[str]
    kind: Mapped[str]
    records: Mapped[list[UUID]] = mapped_column(UuidList)
    detail: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    actor: Mapped[str]
    reason: Mapped[str] = mapped_column(server_default="")
    model_version: Mapped[str]
    revokes: Mapped[UUID | None] = mapped_column(ForeignKey("decision.id"), unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    __table_args__ = (Index("ix_decision_records", "records", postgresql_using="gin"), Index("ix_decision_actor", "actor", "created_at"))


class Task(Base):
    """One piece of steward work; at most one open task per dedupe key."""

    __tablename__ = "task"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    domain: Mapped[str]
    kind: Mapped[str]
    dedupe_key: Mapped[str] = mapped_column(KEY_TEXT)
    status: Mapped[str] = mapped_column(CheckConstraint("status in ('open', 'settled', 'obsolete')", "status"), server_default="open")
    records: Mapped[list[UUID]] = mapped_column(UuidList)
    goldens: Mapped[list[UUID]] = mapped_column(UuidList)
    detail: Mapped[Json]
    impact: Mapped[float] = mapped_column(server_default=text("0"))
    claimed_by: Mapped[str | None]  # whoever has it open, until `claimed_until`
    claimed_until: Mapped[datetime | None]
    assigned_to: Mapped[str | None]
    queue: Mapped[str | None]  # by the rules of `mdm.routing`, whenever it is opened
    due_at: Mapped[datetime] = mapped_column(server_default=text("now() + interval '5 days'"))
    waits_until: Mapped[datetime | None]  # it rests: until then, until what it asks changes, an answer comes, a second person decides
    waits_for: Mapped[str | None] = mapped_column(CheckConstraint("waits_for in ('time', 'change', 'answer', 'approval')", "waits_for"))
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    closed_at: Mapped[datetime | None]
    decision_id: Mapped[UUID | None] = mapped_column(ForeignKey("decision.id"))
    __table_args__ = (
        Index("uq_task_open", "dedupe_key", unique=True, postgresql_where=text("status = 'open'")),
        Index("ix_task_queue", "domain", "kind", "impact", "created_at", postgresql_where=text("status = 'open'")),
        Index("ix_task_goldens", "goldens", postgresql_using="gin", postgresql_where=text("status = 'open'")),
        Index("ix_task_obsolete", "dedupe_key", postgresql_where=text("status = 'obsolete'")),
        Index("ix_task_decision_id", "decision_id"),
        Index("ix_task_worklist", "impact", "id", postgresql_where=text("status = 'open'")),
        Index("ix_task_due", "due_at", "id", postgresql_where=text("status = 'open'")),
        Index(
            "ix_task_facets",
            "domain",
            "kind",
            "assigned_to",
            "queue",
            "due_at",
            "waits_until",
            "waits_for",
            postgresql_where=text("status = 'open'"),
        ),
    )


class TaskEvent(Base):
    """What happened to a task."""

    __tablename__ = "task_event"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    task_id: Mapped[UUID] = mapped_column(ForeignKey("task.id"), index=True)
    what: Mapped[str]
    actor: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    detail: Mapped[Json] = mapped_column(server_default=text("'{}'"))


class Event(Base):
    """The outbox: written last in the business transaction, numbered after commit by one sequencer.

    A person's decision may wait for its undo (`release_at`) and be withdrawn until it is numbered; then it was never said.
    """

    __tablename__ = "event"
    n: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    event_id: Mapped[UUID] = mapped_column(unique=True)
    domain: Mapped[str]
    golden_id: Mapped[UUID]
    type: Mapped[str]
    data: Mapped[Json]
    known_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    epoch: Mapped[UUID | None]
    seq: Mapped[int | None] = mapped_column(BigInteger)
    release_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("seq is null or withdrawn_at is null", "withdrawn_unnumbered"),
        Index("ix_event_unnumbered", "n", postgresql_where=text("seq is null and withdrawn_at is null")),
        Index(
            "ix_event_held",
            "golden_id",
            "n",
            postgresql_where=text("seq is null and withdrawn_at is null and release_at is not null"),
        ),
        Index("uq_event_seq", "seq", unique=True),
        Index("ix_event_golden_id", "golden_id", "n"),
    )


class FeedPosition(Base):
    """The one row that numbers events. A restore begins a new epoch; the numbers go on."""

    __tablename__ = "feed_position"
    only: Mapped[bool] = mapped_column(CheckConstraint("only", "single_row"), primary_key=True, server_default=text("true"))
    epoch: Mapped[UUID]
    last_seq: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))


class Job(Base):
    """Durable work. The row is the truth, the message that names it only a bell. Its chunks stand in `tables_jobs.py`."""

    __tablename__ = "job"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    queue: Mapped[str] = mapped_column(server_default="interactive")
    priority: Mapped[int] = mapped_column(server_default=text("0"))
    dedupe_key: Mapped[str]
    state: Mapped[str] = mapped_column(
        CheckConstraint("state in ('queued', 'running', 'done', 'failed', 'quarantined', 'cancelled')", "state"), server_default="queued"
    )
    payload: Mapped[Json]
    progress: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    run_at: Mapped[datetime] = mapped_column(server_default=NOW)
    attempt: Mapped[int] = mapped_column(CheckConstraint("attempt between 0 and max_attempts", "attempt"), server_default=text("0"))
    max_attempts: Mapped[int] = mapped_column(server_default=text("5"))
    fence: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    lease_until: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    worker: Mapped[str | None]
    error: Mapped[str | None]
    created_by: Mapped[str | None]
    request_id: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    finished_at: Mapped[datetime | None]
    __table_args__ = (
        Index("uq_job_live", "dedupe_key", unique=True, postgresql_where=text("state in ('queued', 'running')")),
        Index("ix_job_due", "queue", "priority", "run_at", postgresql_where=text("state = 'queued'")),
        Index("ix_job_lease", "lease_until", postgresql_where=text("state = 'running'")),
        Index("ix_job_creator", "created_by", "id", postgresql_where=text("created_by is not null")),
        Index("ix_job_ended", "finished_at", postgresql_where=text("state in ('done', 'failed', 'cancelled')")),
    )


class Principal(Base):
    """Who may act: a client with keys, or a person with a password. No domains or systems named means all of them."""

    __tablename__ = "principal"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    kind: Mapped[str] = mapped_column(CheckConstraint("kind in ('client', 'person')", "kind"))
    domains: Mapped[list[str] | None]
    systems: Mapped[list[str] | None]
    grants: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    password_hash: Mapped[str | None]
    password_due: Mapped[bool] = mapped_column(server_default=text("false"))  # somebody else has seen it
    disabled: Mapped[bool] = mapped_column(server_default=text("false"))
    failed_logins: Mapped[int] = mapped_column(server_default=text("0"))
    locked_until: Mapped[datetime | None]
    totp_secret: Mapped[str | None]
    totp_step: Mapped[int | None] = mapped_column(BigInteger)  # the last one used: a code works once
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class ApiKey(Base):
    """A key of a client: only its hash is here, the key itself was shown once."""

    __tablename__ = "api_key"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principal.id"), index=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    created_by: Mapped[str]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    waiting: Mapped[bool] = mapped_column(server_default=text("false"))  # for a second person


class UserSession(Base):
    """A person signed in to the UI; the cookie's secret is here only as a hash."""

    __tablename__ = "user_session"
    hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principal.id"), index=True)
    csrf: Mapped[str]
    factor_at: Mapped[datetime | None]  # when the second factor was shown last; some acts want it fresh
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    seen_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Audit(Base):
    """Who did or read what. Appended, never changed: a trigger refuses it. Subjects are golden ids, never identifier values."""

    __tablename__ = "audit"
    n: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    xid: Mapped[int] = mapped_column(BigInteger, server_default=text("((pg_current_xact_id())::text)::bigint"))  # see mdm/seal.py
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    principal: Mapped[str]
    action: Mapped[str]
    domain: Mapped[str | None]
    subjects: Mapped[list[UUID]] = mapped_column(UuidList, server_default=text("'{}'"))
    fields: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    request_id: Mapped[str]
    outcome: Mapped[str]
    detail: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    __table_args__ = (
        Index("ix_audit_subjects", "subjects", postgresql_using="gin"),
        Index("ix_audit_at", "at"),
        Index("ix_audit_xid", "xid", "n"),
    )
