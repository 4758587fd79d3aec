"""The tables around the change feed: who reads it, and where it is sent to."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from mdm.tables import KEY_TEXT, NOW, Base


class Consumer(Base):
    """A flow that keeps a copy of what Concord knows, so that a merge can say beforehand whom it concerns."""

    __tablename__ = "consumer"
    code: Mapped[str] = mapped_column(KEY_TEXT, primary_key=True)
    name: Mapped[str]
    contact: Mapped[str]
    client: Mapped[str | None]  # the name of the principal that may acknowledge and read the re-key file
    domains: Mapped[list[str]]
    systems: Mapped[list[str]]  # whose local keys it works with; none: only golden ids
    epoch: Mapped[UUID | None]
    position: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    acknowledged_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Webhook(Base):
    """Where events are sent to, in order. Its secrets are derived from MDM_KEY_PEPPER, id and generation: none of them is stored."""

    __tablename__ = "webhook"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    consumer: Mapped[str] = mapped_column(KEY_TEXT, ForeignKey("consumer.code"), index=True)
    url: Mapped[str]
    types: Mapped[list[str]]  # none: all
    domains: Mapped[list[str]]
    state: Mapped[str] = mapped_column(CheckConstraint("state in ('active', 'paused', 'disabled')", "state"), server_default="active")
    generation: Mapped[int] = mapped_column(server_default=text("1"))
    former_secret_until: Mapped[datetime | None]
    position: Mapped[int] = mapped_column(BigInteger)
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    failing_since: Mapped[datetime | None]
    next_try_at: Mapped[datetime] = mapped_column(server_default=NOW)
    last_error: Mapped[str | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)


class WebhookDelivery(Base):
    """A dead letter: an event that its receiver refused for good."""

    __tablename__ = "webhook_delivery"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhook.id"))
    event_id: Mapped[UUID]
    seq: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[int]
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    __table_args__ = (Index("uq_webhook_delivery", "webhook_id", "event_id", unique=True),)


class Sink(Base):
    """A message broker that gets every event; how far it has them, and since when it fails."""

    __tablename__ = "sink"
    name: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    failing_since: Mapped[datetime | None]
    next_try_at: Mapped[datetime] = mapped_column(server_default=NOW)
    last_error: Mapped[str | None]
