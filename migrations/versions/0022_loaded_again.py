"""What the cells of a loaded row were, as a hash; a third way to apply it; and room in the pages of such rows, which are written twice."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.add_column("load_row", sa.Column("print", sa.BigInteger()))
    op.execute("alter table load_row set (fillfactor = 65)")
    _ways("'bulk', 'known', 'online'")


def downgrade() -> None:
    op.execute("update load_row set way = 'online' where way = 'known'")
    _ways("'bulk', 'online'")
    op.execute("alter table load_row reset (fillfactor)")
    op.drop_column("load_row", "print")


def _ways(allowed: str) -> None:
    op.drop_constraint(op.f("ck_load_row_way"), "load_row")
    op.create_check_constraint(op.f("ck_load_row_way"), "load_row", f"way in ({allowed})")
