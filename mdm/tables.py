"""Every table of identity as a mapped class; the work around it (tasks, events, access) stands in `tables_work.py`.

What must always be true is written here as constraints, not only in Python: one open link per record, one owner per exclusive identifier,
redirects that resolve in one hop. A migration builds exactly these tables (tests/migrations).
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Computed,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    MetaData,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Json = dict[str, Any]
NOW = text("now()")
# Identifier values compare byte by byte: the same in every installation, and the fastest index.
KEY_TEXT = Text(collation="C")


class Base(DeclarativeBase):
    """Naming every constraint makes migrations repeatable."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  (SQLAlchemy reads this class attribute, nobody changes it)
        str: Text,
        Json: JSONB,
        list[str]: ARRAY(Text),
        datetime: DateTime(timezone=True),
        date: Date,
    }


class IdentifierSystem(Base):
    """A namespace of identifiers: a standard one (NPI), or the local keys of a system."""

    __tablename__ = "identifier_system"
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    code: Mapped[str] = mapped_column(KEY_TEXT, unique=True)
    label: Mapped[str]
    value_type: Mapped[str]
    sensitivity: Mapped[str] = mapped_column(server_default="internal")
    is_source: Mapped[bool] = mapped_column(server_default=text("false"))
    status: Mapped[str] = mapped_column(CheckConstraint("status in ('active', 'deprecated', 'retired')", "status"), server_default="active")


class IdentifierAlias(Base):
    """Another name of an identifier system: OID, FHIR URI, HL7 namespace, ERP code. One owner per kind and value."""

    __tablename__ = "identifier_alias"
    kind: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(KEY_TEXT, primary_key=True)
    system: Mapped[str] = mapped_column(KEY_TEXT, ForeignKey("identifier_system.code"), index=True)


class System(Base):
    """An application that hands out local keys; its keys are the identifier system of the same code."""

    __tablename__ = "system"
    code: Mapped[str] = mapped_column(KEY_TEXT, ForeignKey("identifier_system.code"), primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]
    organization: Mapped[str]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class SourceRecord(Base):
    """What one system says about one entity now."""

    __tablename__ = "source_record"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    domain: Mapped[str]
    system: Mapped[str] = mapped_column(KEY_TEXT, ForeignKey("system.code"))
    key: Mapped[str] = mapped_column(KEY_TEXT)
    status: Mapped[str] = mapped_column(CheckConstraint("status in ('active', 'inactive')", "status"))
    version: Mapped[int]
    hash: Mapped[str]
    clean: Mapped[Json]  # attribute -> normal form(s); identifier system -> normal forms
    columns: Mapped[Json]  # what matching compares
    keys: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))  # the blocking keys in match_key
    pins: Mapped[Json | None]  # attribute -> what a steward pinned: value, decision, expires_at; see mdm.pins
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)
    __table_args__ = (
        UniqueConstraint("domain", "system", "key"),
        # Of each some 30 pages the first and the last moment; an update within its page leaves it alone, as it would no other index
        Index(
            "ix_source_record_updated_at",
            "updated_at",
            postgresql_using="brin",
            postgresql_with={"pages_per_range": "32", "autosummarize": "on"},
        ),
        {"postgresql_with": {"fillfactor": "85"}},
    )


class SourceRecordVersion(Base):
    """Every delivery that said something new, as received. A quarantined one waits for a person and was never current."""

    __tablename__ = "source_record_version"
    record_id: Mapped[UUID] = mapped_column(ForeignKey("source_record.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(CheckConstraint("state in ('applied', 'quarantined', 'rejected')", "state"))
    raw: Mapped[Json]
    clean: Mapped[Json]
    notes: Mapped[list[Json]] = mapped_column(JSONB)
    hash: Mapped[str]
    status: Mapped[str]
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    recorded_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


class MatchKey(Base):
    """Blocking keys of records: the way from a record to its candidates. Nothing is found by record: that holds its keys itself.

    Without a reference: a dozen rows per record would each ask for it, and what must hold is more, see `mdm.invariants`.
    """

    __tablename__ = "match_key"
    key: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    record_id: Mapped[UUID] = mapped_column(primary_key=True)


class Edge(Base):
    """Two records at or above `review`, or judged by a person: the weight, and the vetoes against them.

    Not what each comparison said: the columns of both records and the model say it again whenever someone asks (`mdm.explain`).

    `verdict` repeats what the standing decisions say of the pair, so that a delivery reads constraints and weights at once.
    """

    __tablename__ = "edge"
    low: Mapped[UUID] = mapped_column(ForeignKey("source_record.id"), primary_key=True)
    high: Mapped[UUID] = mapped_column(ForeignKey("source_record.id"), primary_key=True)
    weight: Mapped[float]
    vetoes: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    model_version: Mapped[str]
    verdict: Mapped[str | None] = mapped_column(CheckConstraint("verdict in ('same', 'different')", "verdict"))
    met: Mapped[bool] = mapped_column(server_default=text("true"))  # by blocking; false: it is here only because it was judged
    __table_args__ = (CheckConstraint("low < high", "ordered"), Index("ix_edge_high", "high"))


class GoldenRecord(Base):
    """One real entity. Its id is for ever; once merged it answers with its survivor.

    `is_target` and `points_at_target` make the database itself refuse a redirect to a merged record, hence chains and cycles.
    """

    __tablename__ = "golden_record"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    domain: Mapped[str]
    status: Mapped[str] = mapped_column(CheckConstraint("status in ('active', 'merged', 'retired')", "status"))
    merged_into: Mapped[UUID | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)
    is_target: Mapped[bool] = mapped_column(Computed("status <> 'merged'::text", persisted=True))
    points_at_target: Mapped[bool | None] = mapped_column(
        Computed("CASE WHEN merged_into IS NOT NULL THEN true ELSE NULL::boolean END", persisted=True)
    )
    __table_args__ = (
        CheckConstraint("(status = 'merged') = (merged_into is not null)", "merged_into_iff_merged"),
        CheckConstraint("merged_into <> id", "not_into_itself"),
        UniqueConstraint("id", "is_target"),
        ForeignKeyConstraint(
            ["merged_into", "points_at_target"],
            ["golden_record.id", "golden_record.is_target"],
            name="one_hop",
            deferrable=True,
            initially="DEFERRED",
        ),
        Index("ix_golden_record_merged_into", "merged_into", postgresql_where=text("merged_into is not null")),
        Index("ix_golden_record_domain", "domain", "id"),
    )


class GoldenVersion(Base):
    """What a golden record said, and when Concord knew it; the open one is the present."""

    __tablename__ = "golden_version"
    golden_id: Mapped[UUID] = mapped_column(ForeignKey("golden_record.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    values: Mapped[Json]
    provenance: Mapped[Json]
    status: Mapped[str] = mapped_column(CheckConstraint("status in ('active', 'retired')", "status"), server_default="active")
    recorded_from: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    recorded_to: Mapped[datetime | None]
    words: Mapped[str] = mapped_column(TSVECTOR, server_default=text("''"))  # by which it is searched: `mdm/words.py`
    __table_args__ = (
        Index("uq_golden_version_open", "golden_id", unique=True, postgresql_where=text("recorded_to is null")),
        # A short list of pending entries: every search reads it, whole, and whoever fills it works it off for all. Without one, each entry
        # of a common name is written with all others of that name: half of all that a load logs.
        Index(
            "ix_golden_version_words",
            "words",
            postgresql_using="gin",
            postgresql_where=text("recorded_to is null"),
            postgresql_with={"fastupdate": "on", "gin_pending_list_limit": "256"},
        ),
    )


class Link(Base):
    """A record belongs to a golden record: since when, until when, and why."""

    __tablename__ = "link"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    record_id: Mapped[UUID] = mapped_column(ForeignKey("source_record.id"))
    golden_id: Mapped[UUID] = mapped_column(ForeignKey("golden_record.id"))
    cause: Mapped[str] = mapped_column(CheckConstraint("cause in ('new', 'edge', 'decision')", "cause"))
    decision_id: Mapped[UUID | None] = mapped_column(ForeignKey("decision.id", deferrable=True, initially="DEFERRED"))
    recorded_from: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    recorded_to: Mapped[datetime | None]
    __table_args__ = (
        Index("uq_link_open", "record_id", unique=True, postgresql_where=text("recorded_to is null")),
        Index("ix_link_record_id", "record_id"),
        Index("ix_link_golden_id", "golden_id", postgresql_include=["record_id", "recorded_to"]),
        Index("ix_link_decision_id", "decision_id", postgresql_where=text("decision_id is not null")),
    )


class Xref(Base):
    """The crosswalk, denormalised: an identifier of a golden record. Always equal to what links and records derive.

    `own`: the value is the local key of one of the golden record's own records, not merely mentioned by another system.
    `exclusive`: nobody else may hold it while both are open; a contested value is exclusive to nobody.
    """

    __tablename__ = "xref"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    domain: Mapped[str] = mapped_column(KEY_TEXT)
    system_id: Mapped[int] = mapped_column(ForeignKey("identifier_system.id"))
    value: Mapped[str] = mapped_column(KEY_TEXT)
    golden_id: Mapped[UUID] = mapped_column(ForeignKey("golden_record.id"))
    status: Mapped[str] = mapped_column(CheckConstraint("status in ('active', 'inactive')", "status"))
    own: Mapped[bool]
    exclusive: Mapped[bool]
    pending: Mapped[bool]
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    recorded_from: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    recorded_to: Mapped[datetime | None]
    __table_args__ = (
        Index(
            "ix_xref_lookup",
            "domain",
            "system_id",
            "value",
            postgresql_include=["golden_id", "status", "own", "pending", "valid_from", "valid_to"],
            postgresql_where=text("recorded_to is null"),
        ),
        Index(
            "uq_xref_exclusive",
            "domain",
            "system_id",
            "value",
            unique=True,
            postgresql_where=text("exclusive and recorded_to is null and valid_to is null"),
        ),
        Index(
            "uq_xref_holder",
            "golden_id",
            "system_id",
            "value",
            unique=True,
            postgresql_include=["status", "own", "valid_from", "valid_to"],
            postgresql_where=text("recorded_to is null"),
        ),
        Index("ix_xref_closed", "domain", "system_id", "value", "recorded_from", postgresql_where=text("recorded_to is not null")),
        Index("ix_xref_golden_closed", "golden_id", "system_id", postgresql_where=text("recorded_to is not null")),
    )


class MatchModel(Base):
    """A version of a domain's matching model; at most one is active, none active means the declaration's."""

    __tablename__ = "match_model"
    domain: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[Json]
    metrics: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    active: Mapped[bool] = mapped_column(server_default=text("false"))
    activated_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    __table_args__ = (Index("uq_match_model_active", "domain", unique=True, postgresql_where=text("active")),)
