"""The tables of what is kept for a while: answers of writing requests, for callers who ask again."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from mdm.tables import NOW, Base, Json


class Idempotency(Base):
    """What a client was answered under a key of its own, written in the transaction that did what was asked."""

    __tablename__ = "idempotency"
    client: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    status: Mapped[int]
    headers: Mapped[Json]
    body: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    __table_args__ = (Index("ix_idempotency_created_at", "created_at"),)
