"""Answers under Idempotency-Key, seals of the audit, and indexes by which what is old is found."""

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
    _seals()
    op.create_index("ix_ticket_closed_at", "ticket", ["closed_at"])
    op.create_index("ix_miss_settled", "miss", ["last_seen"], postgresql_where=sa.text("status in ('resolved', 'rejected')"))


def _seals() -> None:
    """Rows from before count as written by this migration: they are sealed as they are now."""
    transaction = sa.text("((pg_current_xact_id())::text)::bigint")
    op.add_column("audit", sa.Column("xid", sa.BigInteger(), nullable=False, server_default=transaction))
    op.create_index("ix_audit_xid", "audit", ["xid", "n"])
    hashes = [sa.Column(name, sa.LargeBinary(), nullable=False) for name in ("leaves", "root", "previous", "head", "signature")]
    op.create_table(
        "audit_seal",
        sa.Column("batch", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("floor", sa.BigInteger(), nullable=False),
        sa.Column("watermark", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        *hashes,
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
    )
    op.execute("create trigger append_only before update or delete on audit_seal for each row execute function refuse_change()")


def downgrade() -> None:
    op.drop_table("audit_seal")
    op.drop_index("ix_audit_xid", "audit")
    op.drop_column("audit", "xid")
    op.drop_index("ix_miss_settled", "miss")
    op.drop_index("ix_ticket_closed_at", "ticket")
    op.drop_table("idempotency")
