"""The tables of upkeep: answers of writing requests, kept for callers who ask again; the seals of the audit."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index
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


class AuditSeal(Base):
    """A batch of audit rows with the hash of each. Appended, never changed: a trigger refuses it, and `mdm audit verify` would name it."""

    __tablename__ = "audit_seal"
    batch: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    floor: Mapped[int] = mapped_column(BigInteger)
    watermark: Mapped[int] = mapped_column(BigInteger)
    rows: Mapped[int]
    leaves: Mapped[bytes]
    root: Mapped[bytes]
    previous: Mapped[bytes]
    head: Mapped[bytes]
    signature: Mapped[bytes]
    at: Mapped[datetime] = mapped_column(server_default=NOW)
