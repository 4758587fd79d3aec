"""Mapping sets, rules and releases."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"

NOW, CLOCK = sa.text("now()"), sa.text("clock_timestamp()")
KEY = sa.Text(collation="C")
JSON = postgresql.JSONB(astext_type=sa.Text())
MOMENT = sa.DateTime(timezone=True)

# Sets and rules of before keep on answering: a set's columns become its first definition, an approved rule one that was approved then.
CARRY_OVER = """
insert into mapping_set_version (set_code, version, definition, changed_by, recorded_from)
select code, 1, jsonb_build_object('label', label, 'owner', '', 'approver', '', 'tie_break', '[]'::jsonb,
           'inputs', coalesce((select jsonb_agg(jsonb_build_object('name', i, 'domain', null, 'required', false))
                                from unnest(inputs) i), '[]'),
           'outputs', coalesce((select jsonb_agg(jsonb_build_object('name', o, 'domain', null, 'system', null))
                                from unnest(outputs) o), '[]')),
       'migration', created_at
  from mapping_set;
update mapping_rule set written = conditions, author = 'seed', approved_by = case status when 'draft' then null else 'migration' end,
       outputs = jsonb_build_array(jsonb_build_object('share', '100', 'values', outputs));
insert into mapping_rule_span (rule_id, recorded_from, recorded_to, opened_by, closed_by, closed_reason)
select id, created_at, case status when 'retired' then now() end, 'migration', case status when 'retired' then 'migration' end,
       case status when 'retired' then 'retired before' end
  from mapping_rule where status <> 'draft';
"""
# A draft may still change; later only its state does.
FROZEN_RULE = """
create function only_drafts_change() returns trigger language plpgsql as $$
begin
    if old.status <> 'draft' and (to_jsonb(new) - 'status' - 'version') <> (to_jsonb(old) - 'status' - 'version') then
        raise exception 'a % that was approved is never rewritten', tg_table_name using errcode = 'restrict_violation';
    end if;
    return new;
end $$
"""
ONLY_CLOSING = """
create function only_closing() returns trigger language plpgsql as $$
begin
    if old.recorded_to is not null or
       (to_jsonb(new) - array['recorded_to', 'closed_by', 'closed_reason'])
       <> (to_jsonb(old) - array['recorded_to', 'closed_by', 'closed_reason']) then
        raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
    end if;
    return new;
end $$
"""
UPDATES = {
    "mapping_rule": "only_drafts_change",
    "mapping_rule_span": "only_closing",
    "mapping_set_version": "only_closing",
    "mapping_release": "refuse_change",
}
CHECKS = {
    "two_persons": "approved_by <> author",
    "approved_by_somebody": "status <> 'approved' or approved_by is not null",
    "draft_by_nobody_else": "status <> 'draft' or approved_by is null",
    "period": "valid_from <= valid_to",
}


def upgrade() -> None:
    _new_tables()
    _new_columns()
    op.execute(CARRY_OVER)
    for name in ("written", "author"):
        op.alter_column("mapping_rule", name, nullable=False)
    for name in ("label", "inputs", "outputs"):
        op.drop_column("mapping_set", name)
    for name, condition in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_mapping_rule_{name}"), "mapping_rule", condition)
    op.drop_index("ix_mapping_rule_set", table_name="mapping_rule")
    op.create_index("ix_mapping_rule_set", "mapping_rule", ["set_code", "status", "id"])
    op.execute(FROZEN_RULE)
    op.execute(ONLY_CLOSING)
    for table, function in UPDATES.items():
        op.execute(f"create trigger append_only before update on {table} for each row execute function {function}()")
        op.execute(f"create trigger never_deleted before delete on {table} for each row execute function refuse_change()")


def _new_tables() -> None:
    op.create_table(
        "mapping_set_version",
        sa.Column("set_code", KEY, sa.ForeignKey("mapping_set.code", name=op.f("fk_mapping_set_version_set_code")), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("definition", JSON, nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("recorded_from", MOMENT, server_default=CLOCK, nullable=False),
        sa.Column("recorded_to", MOMENT),
        sa.PrimaryKeyConstraint("set_code", "version", name=op.f("pk_mapping_set_version")),
    )
    open_only = sa.text("recorded_to is null")
    op.create_index("uq_mapping_set_version_open", "mapping_set_version", ["set_code"], unique=True, postgresql_where=open_only)
    op.create_table(
        "mapping_rule_span",
        sa.Column("rule_id", sa.Uuid(), sa.ForeignKey("mapping_rule.id", name=op.f("fk_mapping_rule_span_rule_id")), nullable=False),
        sa.Column("recorded_from", MOMENT, nullable=False),
        sa.Column("recorded_to", MOMENT),
        sa.Column("opened_by", sa.Text(), nullable=False),
        sa.Column("closed_by", sa.Text()),
        sa.Column("closed_reason", sa.Text()),
        sa.PrimaryKeyConstraint("rule_id", "recorded_from", name=op.f("pk_mapping_rule_span")),
        sa.CheckConstraint("recorded_from <= recorded_to", name=op.f("ck_mapping_rule_span_period")),
    )
    op.create_index("uq_mapping_rule_span_open", "mapping_rule_span", ["rule_id"], unique=True, postgresql_where=open_only)
    op.create_table(
        "mapping_release",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("set_code", KEY, sa.ForeignKey("mapping_set.code", name=op.f("fk_mapping_release_set_code")), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("set_version", sa.Integer(), nullable=False),
        sa.Column("rules", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("restores", sa.Integer()),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", MOMENT, server_default=CLOCK, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mapping_release")),
        sa.UniqueConstraint("set_code", "number", name=op.f("uq_mapping_release_set_code_number")),
    )
    op.create_table(
        "mapping_ask",
        sa.Column("set_code", KEY, nullable=False),
        sa.Column("inputs_hash", sa.BigInteger(), nullable=False),
        sa.Column("inputs", JSON, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_seen", MOMENT, server_default=NOW, nullable=False),
        sa.Column("last_seen", MOMENT, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("set_code", "inputs_hash", name=op.f("pk_mapping_ask")),
    )


def _new_columns() -> None:
    op.add_column("mapping_set", sa.Column("revision", sa.BigInteger(), server_default=sa.text("1"), nullable=False))
    op.add_column("mapping_set", sa.Column("stamp", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False))
    op.alter_column("mapping_set", "code", type_=KEY, existing_type=sa.Text())
    op.alter_column("mapping_rule", "set_code", type_=KEY, existing_type=sa.Text())
    for column in (
        sa.Column("written", JSON),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("replaces", sa.Uuid(), sa.ForeignKey("mapping_rule.id", name=op.f("fk_mapping_rule_replaces"))),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("author", sa.Text()),
        sa.Column("approved_by", sa.Text()),
    ):
        op.add_column("mapping_rule", column)
