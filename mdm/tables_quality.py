"""The tables of judging the machine and of changing what it may do: blind samples, effects of models, changes that two people agree on."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from mdm.tables import NOW, Base, Json


class LinkSample(Base):
    """A pair of records that the machine linked, drawn at random for a person who does not see its weight. `week`: its Monday."""

    __tablename__ = "link_sample"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    domain: Mapped[str]
    week: Mapped[date]
    low: Mapped[UUID] = mapped_column(ForeignKey("source_record.id"))
    high: Mapped[UUID] = mapped_column(ForeignKey("source_record.id"))
    weight: Mapped[float]
    model_version: Mapped[str]
    verdict: Mapped[str | None] = mapped_column(CheckConstraint("verdict in ('same', 'different', 'unsure')", "verdict"))
    judged_by: Mapped[str | None]
    judged_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    __table_args__ = (
        UniqueConstraint("domain", "week", "low", "high"),
        CheckConstraint("low < high", "ordered"),
        CheckConstraint("(verdict is null) = (judged_by is null)", "judged_by_somebody"),
    )


class ModelEffect(Base):
    """What a model version would change, as it was counted last."""

    __tablename__ = "model_effect"
    domain: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    effect: Mapped[Json]
    counted_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


class PendingChange(Base):
    """A change of what the machine or a person may do, which somebody asks for and somebody else agrees to."""

    __tablename__ = "pending_change"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[Json]
    reason: Mapped[str]
    asked_by: Mapped[str]
    state: Mapped[str] = mapped_column(
        CheckConstraint("state in ('open', 'agreed', 'refused', 'withdrawn')", "state"), server_default="open"
    )
    settled_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    settled_at: Mapped[datetime | None]
    __table_args__ = (
        Index("uq_pending_change_open", "kind", "subject", unique=True, postgresql_where=text("state = 'open'")),
        CheckConstraint("state <> 'agreed' or settled_by <> asked_by", "second_person"),
    )
