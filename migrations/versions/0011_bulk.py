"""Match keys without reference and index by record: most of what storing a record cost was spent on these two."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.drop_constraint("fk_match_key_record_id", "match_key")
    op.drop_index("ix_match_key_record_id", "match_key")


def downgrade() -> None:
    op.create_index("ix_match_key_record_id", "match_key", ["record_id"])
    op.create_foreign_key("fk_match_key_record_id", "match_key", "source_record", ["record_id"], ["id"])
