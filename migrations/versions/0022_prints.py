"""What the cells of a loaded row were, as a hash; and room in the pages of such rows, each of which is written twice."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.add_column("load_row", sa.Column("print", sa.BigInteger()))
    op.execute("alter table load_row set (fillfactor = 65)")


def downgrade() -> None:
    op.execute("alter table load_row reset (fillfactor)")
    op.drop_column("load_row", "print")
