"""Consumers, webhooks and held-back events.

An event may be numbered once, or withdrawn while it has no number; nothing else of it changes. Numbers go on over epochs.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0006"
down_revision = "0005"

NOW = sa.text("now()")
KEY = sa.Text(collation="C")
TIME = sa.DateTime(timezone=True)
UNNUMBERED = "seq is null and withdrawn_at is null"
ONLY_NUMBERING = """
create or replace function only_numbering() returns trigger language plpgsql as $$
begin
    if (to_jsonb(new) - 'seq' - 'epoch' - 'withdrawn_at') <> (to_jsonb(old) - 'seq' - 'epoch' - 'withdrawn_at')
        or old.seq is not null or old.withdrawn_at is not null
        or (new.withdrawn_at is not null and (new.seq is not null or new.epoch is not null)) then
        raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
    end if;
    return new;
end $$
"""
FORMER_NUMBERING = """
create or replace function only_numbering() returns trigger language plpgsql as $$
begin
    if (to_jsonb(new) - 'seq' - 'epoch') <> (to_jsonb(old) - 'seq' - 'epoch') or old.seq is not null then
        raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
    end if;
    return new;
end $$
"""


def upgrade() -> None:
    _alter_event()
    op.create_table(
        "consumer",
        sa.Column("code", KEY, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("contact", sa.Text, nullable=False),
        sa.Column("client", sa.Text),
        sa.Column("domains", ARRAY(sa.Text), nullable=False),
        sa.Column("systems", ARRAY(sa.Text), nullable=False),
        sa.Column("epoch", sa.Uuid),
        sa.Column("position", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("acknowledged_at", TIME),
        sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
        sa.Column("created_at", TIME, nullable=False, server_default=NOW),
        sa.Column("updated_at", TIME, nullable=False, server_default=NOW),
        sa.PrimaryKeyConstraint("code", name="pk_consumer"),
    )
    op.create_table(
        "webhook",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("consumer", KEY, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("types", ARRAY(sa.Text), nullable=False),
        sa.Column("domains", ARRAY(sa.Text), nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="active"),
        sa.Column("generation", sa.Integer, nullable=False, server_default=sa.text("1")),
        sa.Column("former_secret_until", TIME),
        sa.Column("position", sa.BigInteger, nullable=False),
        *_failing(),
        sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
        sa.Column("created_at", TIME, nullable=False, server_default=NOW),
        sa.Column("updated_at", TIME, nullable=False, server_default=NOW),
        sa.PrimaryKeyConstraint("id", name="pk_webhook"),
        sa.ForeignKeyConstraint(["consumer"], ["consumer.code"], name="fk_webhook_consumer"),
        sa.CheckConstraint("state in ('active', 'paused', 'disabled')", name="ck_webhook_state"),
    )
    op.create_index("ix_webhook_consumer", "webhook", ["consumer"])
    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("webhook_id", sa.Uuid, nullable=False),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("at", TIME, nullable=False, server_default=sa.text("clock_timestamp()")),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_delivery"),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook.id"], name="fk_webhook_delivery_webhook_id"),
    )
    op.create_index("uq_webhook_delivery", "webhook_delivery", ["webhook_id", "event_id"], unique=True)
    op.create_table(
        "sink",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        *_failing(),
        sa.PrimaryKeyConstraint("name", name="pk_sink"),
    )


def _failing() -> tuple[sa.Column, ...]:
    return (
        sa.Column("failures", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("failing_since", TIME),
        sa.Column("next_try_at", TIME, nullable=False, server_default=NOW),
        sa.Column("last_error", sa.Text),
    )


def _alter_event() -> None:
    op.add_column("event", sa.Column("release_at", TIME))
    op.add_column("event", sa.Column("withdrawn_at", TIME))
    op.create_check_constraint("ck_event_withdrawn_unnumbered", "event", "seq is null or withdrawn_at is null")
    op.drop_index("ix_event_unnumbered", "event")
    op.create_index("ix_event_unnumbered", "event", ["n"], postgresql_where=sa.text(UNNUMBERED))
    op.create_index("ix_event_held", "event", ["golden_id", "n"], postgresql_where=sa.text(f"{UNNUMBERED} and release_at is not null"))
    op.drop_index("uq_event_seq", "event")
    op.create_index("uq_event_seq", "event", ["seq"], unique=True)
    op.create_index("ix_event_golden_id", "event", ["golden_id", "n"])
    op.execute(ONLY_NUMBERING)


def downgrade() -> None:
    for table in ("sink", "webhook_delivery", "webhook", "consumer"):
        op.drop_table(table)
    op.execute(FORMER_NUMBERING)
    op.drop_constraint("ck_event_withdrawn_unnumbered", "event")
    for index in ("ix_event_golden_id", "ix_event_held", "ix_event_unnumbered", "uq_event_seq"):
        op.drop_index(index, "event")
    op.drop_column("event", "release_at")
    op.drop_column("event", "withdrawn_at")
    op.create_index("ix_event_unnumbered", "event", ["n"], postgresql_where=sa.text("seq is null"))
    op.create_index("uq_event_seq", "event", ["epoch", "seq"], unique=True)
