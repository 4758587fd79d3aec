"""Chunks, progress, priority and versions of jobs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"

STATES = "'queued', 'running', 'done', 'failed', 'quarantined', 'cancelled'"


def upgrade() -> None:
    op.add_column("job", sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False))
    op.add_column("job", sa.Column("priority", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("job", sa.Column("progress", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False))
    op.add_column("job", sa.Column("heartbeat_at", sa.DateTime(timezone=True)))
    op.add_column("job", sa.Column("created_by", sa.Text()))
    op.add_column("job", sa.Column("request_id", sa.Text()))
    op.create_check_constraint(op.f("ck_job_state"), "job", f"state in ({STATES})")
    op.create_check_constraint(op.f("ck_job_attempt"), "job", "attempt between 0 and max_attempts")
    op.drop_index("ix_job_due", "job")
    op.create_index("ix_job_due", "job", ["queue", "priority", "run_at"], postgresql_where=sa.text("state = 'queued'"))
    op.create_index("ix_job_creator", "job", ["created_by", "id"], postgresql_where=sa.text("created_by is not null"))
    op.create_index("ix_job_ended", "job", ["finished_at"], postgresql_where=sa.text("state in ('done', 'failed', 'cancelled')"))
    op.create_table(
        "job_chunk",
        sa.Column("job_id", sa.Uuid(), sa.ForeignKey("job.id", name=op.f("fk_job_chunk_job_id"), ondelete="CASCADE"), nullable=False),
        sa.Column("no", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), server_default="planned", nullable=False),
        sa.Column("fence", sa.BigInteger()),
        sa.Column("rows_in", sa.Integer(), nullable=False),
        sa.Column("rows_ok", sa.Integer()),
        sa.Column("rows_rejected", sa.Integer()),
        sa.PrimaryKeyConstraint("job_id", "no", name=op.f("pk_job_chunk")),
        sa.CheckConstraint("state in ('planned', 'done')", name=op.f("ck_job_chunk_state")),
        sa.CheckConstraint(
            "state = 'planned' or (fence is not null and rows_in = rows_ok + rows_rejected)", name=op.f("ck_job_chunk_accounted")
        ),
    )
    op.create_table(
        "job_cancel",
        sa.Column("job_id", sa.Uuid(), sa.ForeignKey("job.id", name=op.f("fk_job_cancel_job_id"), ondelete="CASCADE"), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job_cancel")),
    )
    op.create_table(
        "canary",
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("queue", name=op.f("pk_canary")),
    )


def downgrade() -> None:
    for table in ("canary", "job_cancel", "job_chunk"):
        op.drop_table(table)
    for index in ("ix_job_ended", "ix_job_creator", "ix_job_due"):
        op.drop_index(index, "job")
    op.drop_constraint(op.f("ck_job_attempt"), "job")
    op.drop_constraint(op.f("ck_job_state"), "job")
    op.execute("update job set state = 'quarantined' where state in ('failed', 'cancelled')")
    op.create_index("ix_job_due", "job", ["queue", "run_at"], postgresql_where=sa.text("state = 'queued'"))
    for column in ("request_id", "created_by", "heartbeat_at", "progress", "priority", "version"):
        op.drop_column("job", column)
