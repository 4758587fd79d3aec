"""What decisions leave behind so that every one of them can be taken back: what was said of each pair, and who was merged into whom."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from mdm.tables import KEY_TEXT, Base


class Judgement(Base):
    """What a decision says of two records. Appended, never changed; of several standing ones about a pair the latest decision's counts."""

    __tablename__ = "judgement"
    decision_id: Mapped[UUID] = mapped_column(ForeignKey("decision.id"), primary_key=True)
    low: Mapped[UUID] = mapped_column(ForeignKey("source_record.id"), primary_key=True)
    high: Mapped[UUID] = mapped_column(ForeignKey("source_record.id"), primary_key=True)
    verdict: Mapped[str] = mapped_column(CheckConstraint("verdict in ('same', 'different')", "verdict"))
    __table_args__ = (
        CheckConstraint("low < high", "ordered"),
        Index("ix_judgement_pair", "low", "high"),
        Index("ix_judgement_high", "high"),
    )


class GoldenRedirect(Base):
    """A golden record was merged into another, directly: `golden_record.merged_into` names the end of the way, this names each step.

    Only so can a merge be taken back under later ones. The decision that caused it, if a person did.
    """

    __tablename__ = "golden_redirect"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    golden_id: Mapped[UUID] = mapped_column(ForeignKey("golden_record.id"))
    survivor: Mapped[UUID] = mapped_column(ForeignKey("golden_record.id"))
    decision_id: Mapped[UUID | None] = mapped_column(ForeignKey("decision.id", deferrable=True, initially="DEFERRED"))
    recorded_from: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    recorded_to: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("golden_id <> survivor", "not_into_itself"),
        Index("uq_golden_redirect_open", "golden_id", unique=True, postgresql_where=text("recorded_to is null")),
        Index("ix_golden_redirect_survivor", "survivor", postgresql_where=text("recorded_to is null")),
        Index("ix_golden_redirect_golden_id", "golden_id"),
    )


class IdentifierRuling(Base):
    """What a decision said of an identifier value, of one record that carries it or of whoever does; see `mdm.identifier_rulings`."""

    __tablename__ = "identifier_ruling"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    decision_id: Mapped[UUID] = mapped_column(ForeignKey("decision.id", deferrable=True, initially="DEFERRED"), index=True)
    domain: Mapped[str]
    system: Mapped[str] = mapped_column(KEY_TEXT, ForeignKey("identifier_system.code"))
    value: Mapped[str] = mapped_column(KEY_TEXT)
    what: Mapped[str] = mapped_column(CheckConstraint("what in ('void', 'placeholder', 'shared')", "what"))
    record_id: Mapped[UUID | None] = mapped_column(ForeignKey("source_record.id"))
    recorded_from: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    recorded_to: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("(what = 'placeholder') = (record_id is null)", "of_whom"),
        Index("ix_identifier_ruling_open", "domain", "system", "value", postgresql_where=text("recorded_to is null")),
    )
