"""Blind samples of automatic links, effects of models, changes that two people agree on."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"

JSONB = postgresql.JSONB()
NOW = sa.text("now()")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "link_sample",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("low", sa.Uuid(), sa.ForeignKey("source_record.id", name="fk_link_sample_low"), nullable=False),
        sa.Column("high", sa.Uuid(), sa.ForeignKey("source_record.id", name="fk_link_sample_high"), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text()),
        sa.Column("judged_by", sa.Text()),
        sa.Column("judged_at", MOMENT),
        sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
        sa.UniqueConstraint("domain", "week", "low", "high", name="uq_link_sample_domain_week_low_high"),
        sa.CheckConstraint("low < high", name=op.f("ck_link_sample_ordered")),
        sa.CheckConstraint("verdict in ('same', 'different', 'unsure')", name=op.f("ck_link_sample_verdict")),
        sa.CheckConstraint("(verdict is null) = (judged_by is null)", name=op.f("ck_link_sample_judged_by_somebody")),
    )
    op.create_table(
        "model_effect",
        sa.Column("domain", sa.Text(), primary_key=True),
        sa.Column("version", sa.Text(), primary_key=True),
        sa.Column("effect", JSONB, nullable=False),
        sa.Column("counted_at", MOMENT, nullable=False, server_default=sa.text("clock_timestamp()")),
    )
    op.create_table(
        "pending_change",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", JSONB, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, server_default="open"),
        sa.Column("settled_by", sa.Text()),
        sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
        sa.Column("settled_at", MOMENT),
        sa.CheckConstraint("state in ('open', 'agreed', 'refused', 'withdrawn')", name=op.f("ck_pending_change_state")),
        sa.CheckConstraint("state <> 'agreed' or settled_by <> asked_by", name=op.f("ck_pending_change_second_person")),
    )
    is_open = sa.text("state = 'open'")
    op.create_index("uq_pending_change_open", "pending_change", ["kind", "subject"], unique=True, postgresql_where=is_open)
