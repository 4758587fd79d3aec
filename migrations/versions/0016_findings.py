"""What stewards rule about identifier values that several carry."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

MOMENT = sa.DateTime(timezone=True)
KEY = sa.Text(collation="C")


def upgrade() -> None:
    op.create_table(
        "identifier_ruling",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column(
            "decision_id",
            sa.Uuid(),
            sa.ForeignKey("decision.id", name="fk_identifier_ruling_decision_id", deferrable=True, initially="DEFERRED"),
            nullable=False,
        ),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("system", KEY, sa.ForeignKey("identifier_system.code", name="fk_identifier_ruling_system"), nullable=False),
        sa.Column("value", KEY, nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Uuid(), sa.ForeignKey("source_record.id", name="fk_identifier_ruling_record_id")),
        sa.Column("recorded_from", MOMENT, nullable=False, server_default=sa.text("clock_timestamp()")),
        sa.Column("recorded_to", MOMENT),
        sa.CheckConstraint("what in ('void', 'placeholder', 'shared')", name=op.f("ck_identifier_ruling_what")),
        sa.CheckConstraint("(what = 'placeholder') = (record_id is null)", name=op.f("ck_identifier_ruling_of_whom")),
    )
    op.create_index("ix_identifier_ruling_decision_id", "identifier_ruling", ["decision_id"])
    is_open = sa.text("recorded_to is null")
    op.create_index("ix_identifier_ruling_open", "identifier_ruling", ["domain", "system", "value"], postgresql_where=is_open)
