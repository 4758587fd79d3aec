"""Decisions that can be taken back: what each says of which pair, every step of a merge, pinned values.

What was decided before is carried over from the decisions themselves; of older merges only the end of the way is known, which is one step.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    _judgements()
    _redirects()
    op.add_column("source_record", sa.Column("pins", JSONB, nullable=True))
    op.add_column("edge", sa.Column("met", sa.Boolean, nullable=False, server_default=sa.text("true")))
    decision = sa.ForeignKey("decision.id", name="fk_link_decision_id", deferrable=True, initially="DEFERRED")
    op.add_column("link", sa.Column("decision_id", sa.Uuid, decision, nullable=True))
    op.create_index("ix_link_decision_id", "link", ["decision_id"], postgresql_where=sa.text("decision_id is not null"))
    op.create_index("ix_task_obsolete", "task", ["dedupe_key"], postgresql_where=sa.text("status = 'obsolete'"))
    op.create_index("ix_task_decision_id", "task", ["decision_id"])


def _judgements() -> None:
    op.create_table(
        "judgement",
        sa.Column("decision_id", sa.Uuid, sa.ForeignKey("decision.id", name="fk_judgement_decision_id"), nullable=False),
        sa.Column("low", sa.Uuid, sa.ForeignKey("source_record.id", name="fk_judgement_low"), nullable=False),
        sa.Column("high", sa.Uuid, sa.ForeignKey("source_record.id", name="fk_judgement_high"), nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("decision_id", "low", "high", name="pk_judgement"),
        sa.CheckConstraint("low < high", name="ck_judgement_ordered"),
        sa.CheckConstraint("verdict in ('same', 'different')", name="ck_judgement_verdict"),
    )
    op.create_index("ix_judgement_pair", "judgement", ["low", "high"])
    op.create_index("ix_judgement_high", "judgement", ["high"])
    op.execute(
        "insert into judgement (decision_id, low, high, verdict) select d.id, least(p.a, p.b), greatest(p.a, p.b),"
        " case when d.kind = 'different' then 'different' else 'same' end from decision d, jsonb_array_elements(d.detail -> 'pairs') e,"
        " lateral (select (e ->> 0)::uuid as a, (e ->> 1)::uuid as b) p where d.kind in ('same', 'different') on conflict do nothing"
    )
    op.execute("create trigger append_only before update or delete on judgement for each row execute function refuse_change()")


def _redirects() -> None:
    decision = sa.ForeignKey("decision.id", name="fk_golden_redirect_decision_id", deferrable=True, initially="DEFERRED")
    op.create_table(
        "golden_redirect",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("golden_id", sa.Uuid, sa.ForeignKey("golden_record.id", name="fk_golden_redirect_golden_id"), nullable=False),
        sa.Column("survivor", sa.Uuid, sa.ForeignKey("golden_record.id", name="fk_golden_redirect_survivor"), nullable=False),
        sa.Column("decision_id", sa.Uuid, decision, nullable=True),
        sa.Column("recorded_from", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("clock_timestamp()")),
        sa.Column("recorded_to", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_golden_redirect"),
        sa.CheckConstraint("golden_id <> survivor", name="ck_golden_redirect_not_into_itself"),
    )
    still = sa.text("recorded_to is null")
    op.create_index("uq_golden_redirect_open", "golden_redirect", ["golden_id"], unique=True, postgresql_where=still)
    op.create_index("ix_golden_redirect_survivor", "golden_redirect", ["survivor"], postgresql_where=still)
    op.create_index("ix_golden_redirect_golden_id", "golden_redirect", ["golden_id"])
    op.execute(
        "insert into golden_redirect (golden_id, survivor, recorded_from) select id, merged_into, updated_at from golden_record"
        " where merged_into is not null"
    )
