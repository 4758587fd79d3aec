"""Loads: files, templates, plans with what becomes of every row, and what undo has to know."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"

KEY_TEXT = sa.Text(collation="C")
NOW = sa.text("now()")
MOMENT = sa.DateTime(timezone=True)
EMPTY = sa.text("'{}'")
ZERO = sa.text("0")
OUTCOMES = "in ('new', 'linked', 'review', 'updated', 'unchanged', 'rejected')"


def upgrade() -> None:
    op.create_table(
        "load_template",
        sa.Column("domain", sa.Text(), primary_key=True),
        sa.Column("system", KEY_TEXT, sa.ForeignKey("system.code", name="fk_load_template_system"), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("mapping", postgresql.JSONB(), nullable=False),
        sa.Column("steps", postgresql.JSONB(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
    )
    _load()
    _plan()
    _rows()
    op.create_table(
        "load_move",
        sa.Column("load_id", sa.Uuid(), sa.ForeignKey("load.id", name="fk_load_move_load_id"), primary_key=True),
        sa.Column("record_id", sa.Uuid(), sa.ForeignKey("source_record.id", name="fk_load_move_record_id"), primary_key=True),
        sa.Column("left_golden", sa.Uuid(), nullable=False),
        sa.Column("joined_golden", sa.Uuid(), nullable=False),
        sa.Column("at", MOMENT, nullable=False, server_default=sa.text("clock_timestamp()")),
    )


def _load() -> None:
    op.create_table(
        "load",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("system", KEY_TEXT, sa.ForeignKey("system.code", name="fk_load_system"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("options", postgresql.JSONB(), nullable=False),
        sa.Column("template", sa.Integer()),
        sa.Column("status", sa.Text(), nullable=False, server_default="uploaded"),
        sa.Column("plan_id", sa.Uuid()),
        sa.Column("job_id", sa.Uuid()),
        sa.Column("same_as", sa.Uuid(), sa.ForeignKey("load.id", name="fk_load_same_as")),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
        sa.Column("asked_by", sa.Text()),
        sa.Column("approved_by", sa.Text()),
        sa.Column("applied_at", MOMENT),
        sa.Column("undone_at", MOMENT),
        sa.Column("seconds", postgresql.JSONB(), nullable=False, server_default=EMPTY),
        sa.CheckConstraint("status in ('uploaded', 'planned', 'applying', 'applied', 'undoing', 'undone')", name=op.f("ck_load_status")),
        sa.CheckConstraint("approved_by <> asked_by", name=op.f("ck_load_second_person")),
    )
    op.create_index("ix_load_file", "load", ["domain", "system", "sha256"])
    op.create_index("ix_load_created", "load", ["created_at"])


def _plan() -> None:
    op.create_table(
        "load_plan",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("load_id", sa.Uuid(), sa.ForeignKey("load.id", name="fk_load_plan_load_id"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, server_default="making"),
        sa.Column("fingerprint", postgresql.JSONB(), nullable=False, server_default=EMPTY),
        sa.Column("mark", sa.BigInteger(), nullable=False, server_default=sa.text("-1")),
        sa.Column("report", postgresql.JSONB(), nullable=False, server_default=EMPTY),
        sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
        sa.Column("ready_at", MOMENT),
        sa.CheckConstraint("state in ('making', 'ready', 'blocked', 'replaced', 'applied')", name=op.f("ck_load_plan_state")),
    )
    op.create_index("ix_load_plan_load_id", "load_plan", ["load_id"])
    outcomes = ("new", "linked", "review", "updated", "unchanged", "rejected", "waiting", "absent")
    op.create_table(
        "load_count",
        sa.Column("plan_id", sa.Uuid(), sa.ForeignKey("load_plan.id", name="fk_load_count_plan_id"), primary_key=True),
        sa.Column("stage", sa.Text(), primary_key=True),
        sa.Column("rows", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False, server_default=ZERO) for name in outcomes),
        sa.CheckConstraint("stage in ('plan', 'apply')", name=op.f("ck_load_count_stage")),
        sa.CheckConstraint(
            "rows = new + linked + review + updated + unchanged + rejected + waiting", name=op.f("ck_load_count_every_row_has_one_outcome")
        ),
    )


def _rows() -> None:
    op.create_table(
        "load_row",
        sa.Column("plan_id", sa.Uuid(), sa.ForeignKey("load_plan.id", name="fk_load_row_plan_id"), primary_key=True),
        sa.Column("no", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("key", KEY_TEXT),
        sa.Column("planned", sa.Text(), nullable=False),
        sa.Column("became", sa.Text()),
        sa.Column("record_id", sa.Uuid()),
        sa.Column("golden_id", sa.Uuid()),
        sa.Column("is_new", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("before", sa.Integer()),
        sa.Column("wrote", sa.Integer()),
        sa.Column("undone", sa.Boolean()),
        sa.Column("way", sa.Text()),
        sa.Column("weight", sa.Float()),
        sa.Column("detail", postgresql.JSONB()),
        sa.CheckConstraint(f"planned {OUTCOMES}", name=op.f("ck_load_row_planned")),
        sa.CheckConstraint(f"became {OUTCOMES}", name=op.f("ck_load_row_became")),
        sa.CheckConstraint("way in ('bulk', 'online')", name=op.f("ck_load_row_way")),
    )
    op.create_index("ix_load_row_planned", "load_row", ["plan_id", "planned", "no"])
    op.create_index("ix_load_row_record", "load_row", ["record_id"], postgresql_where=sa.text("record_id is not null"))
    op.create_index("ix_load_row_golden", "load_row", ["plan_id", "golden_id"], postgresql_where=sa.text("golden_id is not null"))
    op.create_table(
        "load_piece",
        sa.Column("plan_id", sa.Uuid(), sa.ForeignKey("load_plan.id", name="fk_load_piece_plan_id"), primary_key=True),
        sa.Column("way", sa.Text(), primary_key=True),
        sa.Column("no", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("first_row", sa.Integer(), nullable=False),
        sa.Column("last_row", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("way in ('staged', 'bulk', 'online')", name=op.f("ck_load_piece_way")),
    )


def downgrade() -> None:
    for table in ("load_move", "load_piece", "load_row", "load_count", "load_plan", "load", "load_template"):
        op.drop_table(table)
