"""Typed, dated edges between golden records."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

OPEN = sa.text("recorded_to is null")
IN_FORCE = sa.text("recorded_to is null and not looped")
KEY_TEXT = sa.Text(collation="C")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _claims()
    _edges()
    # One target at a time: see 0002 for why a hash stands for the text.
    op.execute(
        "alter table relationship add constraint relationship_no_overlap exclude using gist ("
        "int8range(slot, slot, '[]') with &&, daterange(valid_from, valid_to, '[]') with &&)"
        " where (recorded_to is null and slot is not null)"
    )
    # Trees are read by index alone, which needs a fresh visibility map.
    op.execute("alter table relationship set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02)")
    # A claim is ended, never reworded.
    op.execute(
        "create function only_ending() returns trigger language plpgsql as $$ begin"
        " if (to_jsonb(new) - 'recorded_to') <> (to_jsonb(old) - 'recorded_to') or old.recorded_to is not null then"
        " raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation'; end if; return new; end $$"
    )
    op.execute("create trigger append_only before update on relationship_claim for each row execute function only_ending()")
    for table in ("relationship_claim", "relationship"):
        op.execute(f"create trigger never_deleted before delete on {table} for each row execute function refuse_change()")


def _claims() -> None:
    op.create_table(
        "relationship_claim",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("tree", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Uuid(), sa.ForeignKey("source_record.id", name=op.f("fk_relationship_claim_record_id"))),
        sa.Column("subject_id", sa.Uuid(), sa.ForeignKey("golden_record.id", name=op.f("fk_relationship_claim_subject_id"))),
        sa.Column("target_domain", sa.Text(), nullable=False),
        sa.Column("target_system", KEY_TEXT),
        sa.Column("target_key", KEY_TEXT),
        sa.Column("target_id", sa.Uuid(), sa.ForeignKey("golden_record.id", name=op.f("fk_relationship_claim_target_id"))),
        sa.Column("valid_from", sa.Date()),
        sa.Column("valid_to", sa.Date()),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("recorded_from", MOMENT, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("recorded_to", MOMENT),
        sa.CheckConstraint("num_nonnulls(record_id, subject_id) = 1", name=op.f("ck_relationship_claim_one_subject")),
        sa.CheckConstraint(
            "num_nonnulls(target_key, target_id) = 1 and (target_key is null) = (target_system is null)",
            name=op.f("ck_relationship_claim_one_target"),
        ),
        sa.CheckConstraint("valid_from <= valid_to", name=op.f("ck_relationship_claim_period")),
    )
    op.create_index("ix_relationship_claim_record", "relationship_claim", ["record_id"], postgresql_where=OPEN)
    op.create_index("ix_relationship_claim_subject", "relationship_claim", ["subject_id"], postgresql_where=OPEN)
    named = ["target_domain", "target_system", "target_key"]
    op.create_index("ix_relationship_claim_target", "relationship_claim", named, postgresql_where=OPEN)
    op.create_index("ix_relationship_claim_target_id", "relationship_claim", ["target_id"], postgresql_where=OPEN)


def _edges() -> None:
    op.create_table(
        "relationship",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("tree", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), sa.ForeignKey("golden_record.id", name=op.f("fk_relationship_subject_id")), nullable=False),
        sa.Column("target_id", sa.Uuid(), sa.ForeignKey("golden_record.id", name=op.f("fk_relationship_target_id")), nullable=False),
        sa.Column("valid_from", sa.Date()),
        sa.Column("valid_to", sa.Date()),
        sa.Column("claim_id", sa.Uuid(), sa.ForeignKey("relationship_claim.id", name=op.f("fk_relationship_claim_id")), nullable=False),
        sa.Column("slot", sa.BigInteger()),
        sa.Column("looped", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("recorded_from", MOMENT, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("recorded_to", MOMENT),
        sa.CheckConstraint("subject_id <> target_id", name=op.f("ck_relationship_not_to_itself")),
    )
    op.create_index("ix_relationship_subject", "relationship", ["subject_id", "type"], postgresql_where=OPEN)
    below = ["subject_id", "valid_from", "valid_to"]
    op.create_index("ix_relationship_target", "relationship", ["target_id", "type"], postgresql_where=OPEN)
    above = ["domain", "type", "tree", "target_id"]
    op.create_index("ix_relationship_present", "relationship", above, postgresql_include=below, postgresql_where=IN_FORCE)
    looped = sa.text("recorded_to is null and looped")
    op.create_index("ix_relationship_looped", "relationship", ["domain", "type", "tree"], postgresql_where=looped)
    op.create_index("ix_relationship_tree", "relationship", ["domain", "type", "tree", "subject_id"])
    op.create_index("ix_relationship_subject_history", "relationship", ["subject_id", "recorded_from"])
    op.create_index("ix_relationship_target_history", "relationship", ["target_id", "recorded_from"])


def downgrade() -> None:
    op.drop_table("relationship")
    op.drop_table("relationship_claim")
    op.execute("drop function only_ending()")
