"""Chunks, progress, priority and versions of jobs."""

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    pass
