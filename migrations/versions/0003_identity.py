"""Decisions that can be taken back: what a merge, a split, a pin needs."""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    pass
