"""Rows of a file that say nothing new stand side by side, a piece of them in one row.

Those of loads before stay where they are, among the others: whoever asks for all rows of a plan finds both.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0024"
down_revision = "0023"
KEY_TEXT = sa.Text(collation="C")


def upgrade() -> None:
    op.create_table(
        "load_same",
        sa.Column("plan_id", sa.Uuid(), sa.ForeignKey("load_plan.id", name="fk_load_same_plan_id"), primary_key=True),
        sa.Column("no", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("numbers", ARRAY(sa.Integer()), nullable=False),
        sa.Column("keys", ARRAY(KEY_TEXT), nullable=False),
        sa.Column("records", ARRAY(sa.Uuid()), nullable=False),
        sa.Column("versions", ARRAY(sa.Integer()), nullable=False),
        sa.Column("prints", ARRAY(sa.BigInteger()), nullable=False),
        sa.CheckConstraint(
            "cardinality(numbers) > 0 and cardinality(numbers) = all (array[cardinality(keys), cardinality(records), cardinality(versions),"
            " cardinality(prints)])",
            name=op.f("ck_load_same_side_by_side"),
        ),
    )


def downgrade() -> None:
    op.execute(
        "insert into load_row (plan_id, no, key, planned, record_id, golden_id, before, print)"
        " select s.plan_id, u.no, u.key, 'unchanged', u.record_id, l.golden_id, u.version, nullif(u.print, 0)"
        " from load_same s cross join lateral unnest(s.numbers, s.keys, s.records, s.versions, s.prints)"
        " u(no, key, record_id, version, print) left join link l on l.record_id = u.record_id and l.recorded_to is null"
    )
    op.drop_table("load_same")
