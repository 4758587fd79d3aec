"""Misses become work: what they ask, who waits, what stewards said belongs where. And what a golden record's status was."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"

KEY_TEXT = sa.Text(collation="C")
TEXTS = postgresql.ARRAY(sa.Text())
NOW = sa.text("now()")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _miss()
    op.create_table(
        "ticket",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("miss_id", sa.Uuid(), sa.ForeignKey("miss.id", name="fk_ticket_miss_id"), nullable=False),
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("targets", TEXTS, nullable=False),
        sa.Column("as_of", sa.Date()),
        sa.Column("status", sa.Text(), nullable=False, server_default="pending"),
        sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT),
        sa.CheckConstraint("status in ('pending', 'resolved', 'rejected', 'expired')", name=op.f("ck_ticket_status")),
    )
    op.create_index("ix_ticket_miss_id", "ticket", ["miss_id"])
    waiting = sa.text("status = 'pending'")
    op.create_index("uq_ticket_pending", "ticket", ["principal_id", "miss_id", "question"], unique=True, postgresql_where=waiting)
    op.create_table(
        "identifier_assertion",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("system", KEY_TEXT, sa.ForeignKey("identifier_system.code", name="fk_identifier_assertion_system"), nullable=False),
        sa.Column("value", KEY_TEXT, nullable=False),
        sa.Column("record_id", sa.Uuid(), sa.ForeignKey("source_record.id", name="fk_identifier_assertion_record_id"), nullable=False),
        sa.Column("decision_id", sa.Uuid(), sa.ForeignKey("decision.id", name="fk_identifier_assertion_decision_id"), nullable=False),
        sa.Column("valid_from", sa.Date()),
        sa.Column("valid_to", sa.Date()),
        sa.Column("recorded_from", MOMENT, nullable=False, server_default=sa.text("clock_timestamp()")),
        sa.Column("recorded_to", MOMENT),
    )
    is_open = sa.text("recorded_to is null")
    columns = ["domain", "system", "value"]
    op.create_index("uq_identifier_assertion_open", "identifier_assertion", columns, unique=True, postgresql_where=is_open)
    op.create_index("ix_identifier_assertion_record", "identifier_assertion", ["record_id"], postgresql_where=is_open)
    op.create_index("ix_identifier_assertion_decision", "identifier_assertion", ["decision_id"])
    _history()


def _miss() -> None:
    op.drop_constraint("pk_miss", "miss")
    op.add_column("miss", sa.Column("id", sa.Uuid(), nullable=False, server_default=sa.text("gen_random_uuid()")))
    op.create_primary_key("pk_miss", "miss", ["id"])
    op.add_column("miss", sa.Column("kind", sa.Text(), nullable=False, server_default="unknown_value"))
    op.add_column("miss", sa.Column("target", KEY_TEXT, nullable=False, server_default=""))
    for name in ("clients", "targets"):
        op.add_column("miss", sa.Column(name, TEXTS, nullable=False, server_default=sa.text("'{}'")))
    op.add_column("miss", sa.Column("status", sa.Text(), nullable=False, server_default="open"))
    op.add_column("miss", sa.Column("ignored_until", sa.Date()))
    op.create_check_constraint(op.f("ck_miss_kind"), "miss", "kind in ('unknown_value', 'no_target')")
    op.create_check_constraint(op.f("ck_miss_status"), "miss", "status in ('open', 'resolved', 'ignored', 'rejected')")
    op.create_unique_constraint("uq_miss_domain_system_value_kind_target", "miss", ["domain", "system", "value", "kind", "target"])


def _history() -> None:
    """A version that closed before this migration counts as active: nobody noted otherwise."""
    op.add_column("golden_version", sa.Column("status", sa.Text(), nullable=False, server_default="active"))
    op.create_check_constraint(op.f("ck_golden_version_status"), "golden_version", "status in ('active', 'retired')")
    op.execute(
        "update golden_version v set status = 'retired' from golden_record g"
        " where g.id = v.golden_id and v.recorded_to is null and g.status = 'retired'"
    )
    op.create_index("ix_xref_golden_closed", "xref", ["golden_id", "system_id"], postgresql_where=sa.text("recorded_to is not null"))


def downgrade() -> None:
    op.drop_index("ix_xref_golden_closed", "xref")
    op.drop_column("golden_version", "status")
    op.drop_table("identifier_assertion")
    op.drop_table("ticket")
    op.execute("delete from miss where kind <> 'unknown_value'")
    op.drop_constraint("uq_miss_domain_system_value_kind_target", "miss")
    op.drop_constraint("pk_miss", "miss")
    for name in ("id", "kind", "target", "clients", "targets", "status", "ignored_until"):
        op.drop_column("miss", name)
    op.create_primary_key("pk_miss", "miss", ["domain", "system", "value"])
