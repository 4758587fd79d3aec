"""Answers under Idempotency-Key, and indexes by which what is old is found."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "idempotency",
        sa.Column("client", sa.Uuid(), primary_key=True),
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", postgresql.JSONB(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
    )
    op.create_index("ix_idempotency_created_at", "idempotency", ["created_at"])
    op.create_index("ix_ticket_closed_at", "ticket", ["closed_at"])
    op.create_index("ix_miss_settled", "miss", ["last_seen"], postgresql_where=sa.text("status in ('resolved', 'rejected')"))


def downgrade() -> None:
    op.drop_index("ix_miss_settled", "miss")
    op.drop_index("ix_ticket_closed_at", "ticket")
    op.drop_table("idempotency")
