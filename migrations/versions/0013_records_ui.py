"""What stewards searched for, a day long."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "record_search",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("principal_id", sa.Uuid(), sa.ForeignKey("principal.id", name="fk_record_search_principal_id"), nullable=False),
        sa.Column("asked", postgresql.JSONB(), nullable=False),
        sa.Column("hits", postgresql.JSONB(), nullable=False),
        sa.Column("next", sa.Text()),
        sa.Column("created_at", MOMENT, nullable=False, server_default=sa.text("clock_timestamp()")),
    )
    op.create_index("ix_record_search_principal_id", "record_search", ["principal_id", "created_at"])
    op.create_index("ix_record_search_created_at", "record_search", ["created_at"])


def downgrade() -> None:
    op.drop_table("record_search")
