"""Loads of files: the file, its plans, what becomes of every row, and what has to be known to take all of it back.

A row of a plan has one outcome, and the outcomes make up the rows: the database checks it wherever they are counted.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, LargeBinary, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from mdm.tables import KEY_TEXT, NOW, Base, Json

_COUNT = text("0")


class LoadTemplate(Base):
    """How files of a system about a domain are read: columns and steps. A version is never changed; a correction is the next one."""

    __tablename__ = "load_template"
    domain: Mapped[str] = mapped_column(primary_key=True)
    system: Mapped[str] = mapped_column(KEY_TEXT, ForeignKey("system.code"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    mapping: Mapped[Json]
    steps: Mapped[list[Json]] = mapped_column(JSONB)
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Load(Base):
    """A file of one system about one domain. `options`: how it is read where it leaves that open; `place`: its folder below MDM_HOME."""

    __tablename__ = "load"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    domain: Mapped[str]
    system: Mapped[str] = mapped_column(KEY_TEXT, ForeignKey("system.code"))
    name: Mapped[str]
    place: Mapped[str]
    sha256: Mapped[str]
    bytes: Mapped[int] = mapped_column(BigInteger)
    options: Mapped[Json]
    template: Mapped[int | None]
    status: Mapped[str] = mapped_column(
        CheckConstraint("status in ('uploaded', 'planned', 'applying', 'applied', 'undoing', 'undone')", "status"),
        server_default="uploaded",
    )
    plan_id: Mapped[UUID | None]
    job_id: Mapped[UUID | None]
    same_as: Mapped[UUID | None] = mapped_column(ForeignKey("load.id"))
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    asked_by: Mapped[str | None]  # who wants it applied, or undone, while a second person has to agree
    approved_by: Mapped[str | None]
    applied_at: Mapped[datetime | None]
    undone_at: Mapped[datetime | None]
    seconds: Mapped[Json] = mapped_column(server_default=text("'{}'"))  # plan, apply, undo
    __table_args__ = (
        CheckConstraint("approved_by <> asked_by", "second_person"),
        Index("ix_load_file", "domain", "system", "sha256"),
        Index("ix_load_created", "created_at"),
    )


class LoadPlan(Base):
    """What a load would do, found out at one moment; changed facts make it stale. `mark`: the last event it knows of, -1 at first."""

    __tablename__ = "load_plan"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    load_id: Mapped[UUID] = mapped_column(ForeignKey("load.id"), index=True)
    state: Mapped[str] = mapped_column(
        CheckConstraint("state in ('making', 'ready', 'blocked', 'replaced', 'applied')", "state"), server_default="making"
    )
    fingerprint: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    mark: Mapped[int] = mapped_column(BigInteger, server_default=text("-1"))
    report: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    ready_at: Mapped[datetime | None]


class LoadCount(Base):
    """How many rows had which outcome: as planned, and as it came out. `waiting`: rows of waves that are still to come."""

    __tablename__ = "load_count"
    plan_id: Mapped[UUID] = mapped_column(ForeignKey("load_plan.id"), primary_key=True)
    stage: Mapped[str] = mapped_column(CheckConstraint("stage in ('plan', 'apply')", "stage"), primary_key=True)
    rows: Mapped[int]
    new: Mapped[int] = mapped_column(server_default=_COUNT)
    linked: Mapped[int] = mapped_column(server_default=_COUNT)
    review: Mapped[int] = mapped_column(server_default=_COUNT)
    updated: Mapped[int] = mapped_column(server_default=_COUNT)
    unchanged: Mapped[int] = mapped_column(server_default=_COUNT)
    rejected: Mapped[int] = mapped_column(server_default=_COUNT)
    waiting: Mapped[int] = mapped_column(server_default=_COUNT)
    absent: Mapped[int] = mapped_column(server_default=_COUNT)
    __table_args__ = (
        CheckConstraint("rows = new + linked + review + updated + unchanged + rejected + waiting", "every_row_has_one_outcome"),
    )


class LoadRow(Base):
    """A row of the file: what the plan says of it, and what became of it.

    `record_id`: the known record, or the one that it is to become, if `is_new`. `golden_id`: as planned, of a known golden record.
    `before`: the version of the record that the load replaced, by version `wrote` (of an update that
    waits, that one's; none where it waited already). `way`: how it was applied, see `mdm.load_apply`. `undone`: taken back, or
    (false) kept when the load was. `detail`: of a rejected row, what was wrong and the row itself. `print`: a hash of the cells that
    became something, by which the same row is known again in the next file.
    """

    __tablename__ = "load_row"
    plan_id: Mapped[UUID] = mapped_column(ForeignKey("load_plan.id"), primary_key=True)
    no: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key: Mapped[str | None] = mapped_column(KEY_TEXT)
    planned: Mapped[str] = mapped_column(
        CheckConstraint("planned in ('new', 'linked', 'review', 'updated', 'unchanged', 'rejected')", "planned")
    )
    became: Mapped[str | None] = mapped_column(
        CheckConstraint("became in ('new', 'linked', 'review', 'updated', 'unchanged', 'rejected')", "became")
    )
    record_id: Mapped[UUID | None]
    golden_id: Mapped[UUID | None]
    is_new: Mapped[bool] = mapped_column(server_default=text("false"))
    before: Mapped[int | None]
    wrote: Mapped[int | None]
    undone: Mapped[bool | None]
    way: Mapped[str | None] = mapped_column(CheckConstraint("way in ('bulk', 'known', 'online')", "way"))
    weight: Mapped[float | None]
    detail: Mapped[Json | None]
    print: Mapped[int | None] = mapped_column(BigInteger)
    __table_args__ = (
        Index("ix_load_row_planned", "plan_id", "planned", "no"),
        Index("ix_load_row_record", "record_id", postgresql_where=text("record_id is not null")),
        Index("ix_load_row_golden", "plan_id", "golden_id", postgresql_where=text("golden_id is not null")),
        {"postgresql_with": {"fillfactor": "50"}},  # what became of it is written beside it: at 65, half of the rows found no room there
    )


class LoadSame(Base):
    """Rows of the file that say nothing new, those of one piece side by side: see `mdm.load_same`.

    Row number, key, the record that says the same in which version, and the row's print (0: none), each in the same place.
    """

    __tablename__ = "load_same"
    plan_id: Mapped[UUID] = mapped_column(ForeignKey("load_plan.id"), primary_key=True)
    no: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    numbers: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    keys: Mapped[list[str]] = mapped_column(ARRAY(KEY_TEXT))
    records: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    versions: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    prints: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    __table_args__ = (
        CheckConstraint(
            "cardinality(numbers) > 0 and cardinality(numbers) = all (array[cardinality(keys), cardinality(records), cardinality(versions),"
            " cardinality(prints)])",
            "side_by_side",
        ),
    )


class LoadPiece(Base):
    """Rows made ready, packed: `staged` as they were read, then `bulk` (nobody else is like them) and `online` ones as they are applied."""

    __tablename__ = "load_piece"
    plan_id: Mapped[UUID] = mapped_column(ForeignKey("load_plan.id"), primary_key=True)
    way: Mapped[str] = mapped_column(CheckConstraint("way in ('staged', 'bulk', 'online')", "way"), primary_key=True)
    no: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    first_row: Mapped[int]
    last_row: Mapped[int]
    rows: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary)


class LoadMove(Base):
    """A record that was there before the load and that the load brought to another golden record: undo brings it back.

    One whose value the load made over-shared stands here too, where it stayed: undo gives the value back.
    """

    __tablename__ = "load_move"
    load_id: Mapped[UUID] = mapped_column(ForeignKey("load.id"), primary_key=True)
    record_id: Mapped[UUID] = mapped_column(ForeignKey("source_record.id"), primary_key=True)
    left_golden: Mapped[UUID]
    joined_golden: Mapped[UUID]
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
