"""Stewards at work: preferences, views, comments, proposals, break-glass, bulk acts, second factors; what a task waits for."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"

KEY_TEXT = sa.Text(collation="C")
JSONB = postgresql.JSONB()
NOW = sa.text("now()")
MOMENT = sa.DateTime(timezone=True)


def _task(table: str) -> sa.Column[object]:
    return sa.Column("task_id", sa.Uuid(), sa.ForeignKey("task.id", name=f"fk_{table}_task_id"), nullable=False)


def upgrade() -> None:
    _people()
    _tasks()
    _talk()
    _batches()


def _people() -> None:
    op.add_column("principal", sa.Column("totp_secret", sa.Text()))
    op.add_column("principal", sa.Column("totp_step", sa.BigInteger()))
    op.add_column("user_session", sa.Column("factor_at", MOMENT))
    op.create_table(
        "user_pref",
        sa.Column("principal_id", sa.Uuid(), sa.ForeignKey("principal.id", name="fk_user_pref_principal_id"), primary_key=True),
        sa.Column("prefs", JSONB, nullable=False),
    )
    op.create_table(
        "saved_view",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("page", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
        sa.UniqueConstraint("owner", "page", "name", name="uq_saved_view_owner_page_name"),
    )
    op.create_table(
        "stored_answer",
        sa.Column("principal", sa.Text(), primary_key=True),
        sa.Column("key", KEY_TEXT, primary_key=True),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("answer", JSONB, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
    )
    op.create_index("ix_stored_answer_created_at", "stored_answer", ["created_at"])
    op.create_table(
        "break_glass",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ticket", sa.Text(), nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False, server_default=sa.text("clock_timestamp()")),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("reviewed_by", sa.Text()),
        sa.Column("reviewed_at", MOMENT),
        sa.CheckConstraint("ends_at <= opened_at + interval '60 minutes'", name=op.f("ck_break_glass_an_hour_at_most")),
        sa.CheckConstraint("reviewed_by <> principal", name=op.f("ck_break_glass_reviewed_by_another")),
    )
    op.create_index("ix_break_glass_principal", "break_glass", ["principal", "ends_at"])
    op.create_index("ix_break_glass_unreviewed", "break_glass", ["opened_at"], postgresql_where=sa.text("reviewed_at is null"))


def _tasks() -> None:
    """Who works on a task, until when it rests, and the order of the work list: impact as it is, descending, without a sort."""
    op.add_column("task", sa.Column("claimed_until", MOMENT))
    op.add_column("task", sa.Column("assigned_to", sa.Text()))
    op.add_column("task", sa.Column("waits_until", MOMENT))
    op.add_column("task", sa.Column("waits_for", sa.Text()))
    op.create_check_constraint(op.f("ck_task_waits_for"), "task", "waits_for in ('time', 'change', 'answer', 'approval')")
    op.execute("update task set due_at = created_at + interval '5 days' where due_at is null")
    op.alter_column("task", "due_at", nullable=False, server_default=sa.text("now() + interval '5 days'"))
    op.create_index("ix_decision_actor", "decision", ["actor", "created_at"])
    is_open = sa.text("status = 'open'")
    op.create_index("ix_task_worklist", "task", ["impact", "id"], postgresql_where=is_open)
    op.create_index("ix_task_due", "task", ["due_at", "id"], postgresql_where=is_open)
    op.create_index("ix_task_facets", "task", ["domain", "kind", "assigned_to", "due_at", "waits_for", "impact"], postgresql_where=is_open)


def _talk() -> None:
    op.create_table(
        "task_comment",
        sa.Column("id", sa.Uuid(), primary_key=True),
        _task("task_comment"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("asked", sa.Text()),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
        sa.CheckConstraint("kind in ('comment', 'question', 'answer')", name=op.f("ck_task_comment_kind")),
    )
    op.create_index("ix_task_comment_task_id", "task_comment", ["task_id"])
    op.create_index("ix_task_comment_asked", "task_comment", ["asked"], postgresql_where=sa.text("kind = 'question'"))
    op.create_table(
        "proposal",
        sa.Column("id", sa.Uuid(), primary_key=True),
        _task("proposal"),
        sa.Column("task_version", sa.Integer(), nullable=False),
        sa.Column("proposer", sa.Text(), nullable=False),
        sa.Column("ruling", JSONB, nullable=False),
        sa.Column("status", sa.Text(), nullable=False, server_default="open"),
        sa.Column("approver", sa.Text()),
        sa.Column("answer", JSONB),
        sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
        sa.Column("settled_at", MOMENT),
        sa.CheckConstraint("status in ('open', 'agreed', 'disagreed', 'withdrawn')", name=op.f("ck_proposal_status")),
        sa.CheckConstraint("approver <> proposer", name=op.f("ck_proposal_second_person")),
    )
    op.create_index("uq_proposal_open", "proposal", ["task_id"], unique=True, postgresql_where=sa.text("status = 'open'"))


def _batches() -> None:
    op.create_table(
        "task_batch",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("what", JSONB, nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("state", sa.Text(), nullable=False, server_default="running"),
        sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
        sa.CheckConstraint("state in ('running', 'done', 'undone')", name=op.f("ck_task_batch_state")),
    )
    op.create_index("ix_task_batch_actor", "task_batch", ["actor", "created_at"])
    batch = sa.ForeignKey("task_batch.id", name="fk_task_batch_item_batch_id")
    task = sa.ForeignKey("task.id", name="fk_task_batch_item_task_id")
    op.create_table(
        "task_batch_item",
        sa.Column("batch_id", sa.Uuid(), batch, primary_key=True),
        sa.Column("task_id", sa.Uuid(), task, primary_key=True),
        sa.Column("before", JSONB),
        sa.Column("note", sa.Text()),
    )


def downgrade() -> None:
    for table in ("task_batch_item", "task_batch", "proposal", "task_comment", "break_glass", "stored_answer", "saved_view", "user_pref"):
        op.drop_table(table)
    op.drop_index("ix_decision_actor", "decision")
    for index in ("ix_task_worklist", "ix_task_due", "ix_task_facets"):
        op.drop_index(index, "task")
    op.alter_column("task", "due_at", nullable=True, server_default=None)
    for table, columns in (
        ("task", ("claimed_until", "assigned_to", "waits_until", "waits_for")),
        ("user_session", ("factor_at",)),
        ("principal", ("totp_secret", "totp_step")),
    ):
        for column in columns:
            op.drop_column(table, column)
