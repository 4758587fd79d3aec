"""The index of present trees holds the children of each parent in order, so that a whole tree is read without sorting it."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

IN_FORCE = sa.text("recorded_to is null and not looped")


def upgrade() -> None:
    _index(["domain", "type", "tree", "target_id", "subject_id"], ["valid_from", "valid_to"])


def downgrade() -> None:
    _index(["domain", "type", "tree", "target_id"], ["subject_id", "valid_from", "valid_to"])


def _index(columns: list[str], beside: list[str]) -> None:
    op.drop_index("ix_relationship_present", "relationship")
    op.create_index("ix_relationship_present", "relationship", columns, postgresql_include=beside, postgresql_where=IN_FORCE)
