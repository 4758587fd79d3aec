"""Mapping sets, their rules, and the releases of them.

What a set is made of and which rules are approved both change; what they were stays, as spans of recorded time, so that an answer can be
given again as it was. The migration adds what classes cannot say: approved rules with equal conditions never overlap, and what was once
approved is never rewritten.
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from mdm.tables import KEY_TEXT, NOW, Base, Json
from mdm.tables_work import UuidList


class MappingSet(Base):
    """A table of rules from several inputs to outputs. `revision` counts every change of the set or of one of its rules.

    `stamp` is another with each of them, also after a backup was restored: what a process remembers of the set, it remembers under this.
    """

    __tablename__ = "mapping_set"
    code: Mapped[str] = mapped_column(KEY_TEXT, primary_key=True)
    revision: Mapped[int] = mapped_column(BigInteger, server_default=text("1"))
    stamp: Mapped[UUID] = mapped_column(server_default=text("gen_random_uuid()"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class MappingSetVersion(Base):
    """What a set was made of, and when: label, inputs, outputs, tie-break, owner, approver. The open one is the present."""

    __tablename__ = "mapping_set_version"
    set_code: Mapped[str] = mapped_column(KEY_TEXT, ForeignKey("mapping_set.code"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    definition: Mapped[Json]
    changed_by: Mapped[str]
    recorded_from: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    recorded_to: Mapped[datetime | None]
    __table_args__ = (Index("uq_mapping_set_version_open", "set_code", unique=True, postgresql_where=text("recorded_to is null")),)


class MappingRule(Base):
    """One rule: the inputs it asks for (the others are any), what it answers, and when it is in force.

    `written` keeps the conditions as the author gave them, `conditions` their normal form, which answers are found by.
    """

    __tablename__ = "mapping_rule"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    set_code: Mapped[str] = mapped_column(KEY_TEXT, ForeignKey("mapping_set.code"))
    conditions: Mapped[Json]
    conditions_hash: Mapped[int] = mapped_column(BigInteger)
    written: Mapped[Json]
    outputs: Mapped[list[Json]] = mapped_column(JSONB)  # rows of share (per cent, as text) and values
    status: Mapped[str] = mapped_column(CheckConstraint("status in ('draft', 'approved', 'retired')", "status"))
    version: Mapped[int] = mapped_column(server_default=text("1"))
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    replaces: Mapped[UUID | None] = mapped_column(ForeignKey("mapping_rule.id"))
    note: Mapped[str] = mapped_column(server_default="")
    author: Mapped[str]
    approved_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    __table_args__ = (
        CheckConstraint("approved_by <> author", "two_persons"),
        CheckConstraint("status <> 'approved' or approved_by is not null", "approved_by_somebody"),
        CheckConstraint("status <> 'draft' or approved_by is null", "draft_by_nobody_else"),
        CheckConstraint("valid_from <= valid_to", "period"),
        Index("ix_mapping_rule_set", "set_code", "status", "id"),
    )


class MappingRuleSpan(Base):
    """From when to when Concord answered by a rule. A rollback opens a further span; nothing is erased."""

    __tablename__ = "mapping_rule_span"
    rule_id: Mapped[UUID] = mapped_column(ForeignKey("mapping_rule.id"), primary_key=True)
    recorded_from: Mapped[datetime] = mapped_column(primary_key=True)
    recorded_to: Mapped[datetime | None]
    opened_by: Mapped[str]
    closed_by: Mapped[str | None]
    closed_reason: Mapped[str | None]
    __table_args__ = (
        Index("uq_mapping_rule_span_open", "rule_id", unique=True, postgresql_where=text("recorded_to is null")),
        CheckConstraint("recorded_from <= recorded_to", "period"),
    )


class MappingRelease(Base):
    """The approved rules of a set at one moment, numbered and frozen."""

    __tablename__ = "mapping_release"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    set_code: Mapped[str] = mapped_column(KEY_TEXT, ForeignKey("mapping_set.code"))
    number: Mapped[int]
    set_version: Mapped[int]
    rules: Mapped[list[UUID]] = mapped_column(UuidList)
    note: Mapped[str]
    restores: Mapped[int | None]
    made_by: Mapped[str]
    made_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    __table_args__ = (UniqueConstraint("set_code", "number"),)


class MappingAsk(Base):
    """A combination of inputs that was asked for, with how often. Inputs of patients' domains cannot be declared, so none stand here."""

    __tablename__ = "mapping_ask"
    set_code: Mapped[str] = mapped_column(KEY_TEXT, primary_key=True)
    inputs_hash: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    inputs: Mapped[Json]
    count: Mapped[int] = mapped_column(BigInteger)
    first_seen: Mapped[datetime] = mapped_column(server_default=NOW)
    last_seen: Mapped[datetime] = mapped_column(server_default=NOW)
