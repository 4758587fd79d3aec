"""The tables of misses: what lookups asked for in vain, who waits for an answer, and what stewards said belongs where."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from mdm.tables import KEY_TEXT, NOW, Base


class Miss(Base):
    """A question that lookups asked in vain, with how often and by whom. Its open task is the one with the dedupe key `mapping:<id>`.

    `unknown_value`: nobody knows `value` of `system`; `target` is empty. `no_target`: the golden record `value` (its id; system `concord`)
    has no key in the system `target`.
    """

    __tablename__ = "miss"
    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    domain: Mapped[str]
    system: Mapped[str] = mapped_column(KEY_TEXT)
    value: Mapped[str] = mapped_column(KEY_TEXT)
    kind: Mapped[str] = mapped_column(CheckConstraint("kind in ('unknown_value', 'no_target')", "kind"), server_default="unknown_value")
    target: Mapped[str] = mapped_column(KEY_TEXT, server_default="")
    count: Mapped[int] = mapped_column(BigInteger)
    clients: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    targets: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    status: Mapped[str] = mapped_column(
        CheckConstraint("status in ('open', 'resolved', 'ignored', 'rejected')", "status"), server_default="open"
    )
    ignored_until: Mapped[date | None]
    first_seen: Mapped[datetime] = mapped_column(server_default=NOW)
    last_seen: Mapped[datetime] = mapped_column(server_default=NOW)
    __table_args__ = (
        UniqueConstraint("domain", "system", "value", "kind", "target"),
        Index("ix_miss_settled", "last_seen", postgresql_where=text("status in ('resolved', 'rejected')")),
    )


class Ticket(Base):
    """A client that parked a question and waits for its miss to be settled. `question` is the hash of all that was asked."""

    __tablename__ = "ticket"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    miss_id: Mapped[UUID] = mapped_column(ForeignKey("miss.id"), index=True)
    principal_id: Mapped[UUID]
    question: Mapped[str]
    source: Mapped[str]
    value: Mapped[str]
    targets: Mapped[list[str]]
    as_of: Mapped[date | None]
    status: Mapped[str] = mapped_column(
        CheckConstraint("status in ('pending', 'resolved', 'rejected', 'expired')", "status"), server_default="pending"
    )
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    expires_at: Mapped[datetime]
    closed_at: Mapped[datetime | None] = mapped_column(index=True)
    __table_args__ = (
        Index("uq_ticket_pending", "principal_id", "miss_id", "question", unique=True, postgresql_where=text("status = 'pending'")),
    )


class IdentifierAssertion(Base):
    """A steward said that an identifier belongs to a golden record. It hangs on one of its records, hence follows merges and splits."""

    __tablename__ = "identifier_assertion"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    domain: Mapped[str]
    system: Mapped[str] = mapped_column(KEY_TEXT, ForeignKey("identifier_system.code"))
    value: Mapped[str] = mapped_column(KEY_TEXT)
    record_id: Mapped[UUID] = mapped_column(ForeignKey("source_record.id"))
    decision_id: Mapped[UUID] = mapped_column(ForeignKey("decision.id"))
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    recorded_from: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    recorded_to: Mapped[datetime | None]
    __table_args__ = (
        Index("uq_identifier_assertion_open", "domain", "system", "value", unique=True, postgresql_where=text("recorded_to is null")),
        Index("ix_identifier_assertion_record", "record_id", postgresql_where=text("recorded_to is null")),
        Index("ix_identifier_assertion_decision", "decision_id"),
    )
