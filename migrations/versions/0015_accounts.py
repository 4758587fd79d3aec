"""Passwords that somebody else has seen, and are to be changed; keys that wait for a second person."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("principal", sa.Column("password_due", sa.Boolean(), nullable=False, server_default=sa.text("false")))
    op.add_column("api_key", sa.Column("waiting", sa.Boolean(), nullable=False, server_default=sa.text("false")))
