"""The tables of relationships: what was claimed, and the dated edges between golden records that follow from it.

A claim is a fact: what a source record says, or a person. An edge is derived from open claims and links, and never edited by itself.
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from mdm.tables import KEY_TEXT, Base

_OPEN = text("recorded_to is null")


class RelationshipClaim(Base):
    """Somebody says that one entity stands in a relationship to another, from one day to another (both inclusive).

    The subject is a source record or, of a steward's claim, a golden id; the other end a system's local key, which nobody need know yet,
    or a golden id. So claims follow merges and splits as they stand.
    """

    __tablename__ = "relationship_claim"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    domain: Mapped[str]
    type: Mapped[str]
    tree: Mapped[str]
    record_id: Mapped[UUID | None] = mapped_column(ForeignKey("source_record.id"))
    subject_id: Mapped[UUID | None] = mapped_column(ForeignKey("golden_record.id"))
    target_domain: Mapped[str]
    target_system: Mapped[str | None] = mapped_column(KEY_TEXT)
    target_key: Mapped[str | None] = mapped_column(KEY_TEXT)
    target_id: Mapped[UUID | None] = mapped_column(ForeignKey("golden_record.id"))
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    actor: Mapped[str]
    reason: Mapped[str] = mapped_column(server_default="")
    recorded_from: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    recorded_to: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("num_nonnulls(record_id, subject_id) = 1", "one_subject"),
        CheckConstraint("num_nonnulls(target_key, target_id) = 1 and (target_key is null) = (target_system is null)", "one_target"),
        CheckConstraint("valid_from <= valid_to", "period"),
        Index("ix_relationship_claim_record", "record_id", postgresql_where=_OPEN),
        Index("ix_relationship_claim_subject", "subject_id", postgresql_where=_OPEN),
        Index("ix_relationship_claim_target", "target_domain", "target_system", "target_key", postgresql_where=_OPEN),
        Index("ix_relationship_claim_target_id", "target_id", postgresql_where=_OPEN),
    )


class Relationship(Base):
    """An edge between two golden records: on which days it holds, and from when to when Concord said so.

    `slot` names subject, type and tree where one target at a time is possible: an exclusion constraint in the migration keeps open edges
    of one slot from overlapping. `looped`: the edge would close a loop and is in force nowhere.
    """

    __tablename__ = "relationship"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    domain: Mapped[str]
    type: Mapped[str]
    tree: Mapped[str]
    subject_id: Mapped[UUID] = mapped_column(ForeignKey("golden_record.id"))
    target_id: Mapped[UUID] = mapped_column(ForeignKey("golden_record.id"))
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    claim_id: Mapped[UUID] = mapped_column(ForeignKey("relationship_claim.id"))
    slot: Mapped[int | None] = mapped_column(BigInteger)
    looped: Mapped[bool] = mapped_column(server_default=text("false"))
    recorded_from: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    recorded_to: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("subject_id <> target_id", "not_to_itself"),
        Index("ix_relationship_subject", "subject_id", "type", postgresql_where=_OPEN),
        Index("ix_relationship_target", "target_id", "type", postgresql_where=_OPEN),
        Index(
            "ix_relationship_present",
            "domain",
            "type",
            "tree",
            "target_id",
            "subject_id",
            postgresql_include=["valid_from", "valid_to"],
            postgresql_where=text("recorded_to is null and not looped"),
        ),
        Index("ix_relationship_looped", "domain", "type", "tree", postgresql_where=text("recorded_to is null and looped")),
        Index("ix_relationship_tree", "domain", "type", "tree", "subject_id"),
        Index("ix_relationship_subject_history", "subject_id", "recorded_from"),
        Index("ix_relationship_target_history", "target_id", "recorded_from"),
    )
