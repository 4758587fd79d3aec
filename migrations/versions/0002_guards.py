"""What tables cannot say: history that nobody rewrites, rules that never overlap.

A trigger refuses what no path of ours does, so that a slip of the code or of a hand at the console cannot do it either.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

REFUSE = """
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end $$
"""
# A version may move from quarantined to applied or rejected; an event may be numbered once. Nothing else of them changes.
ONLY_STATE = """
create function only_state_changes() returns trigger language plpgsql as $$
begin
    if (to_jsonb(new) - 'state' - 'recorded_at') <> (to_jsonb(old) - 'state' - 'recorded_at') or old.state <> 'quarantined' then
        raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
    end if;
    return new;
end $$
"""
ONLY_NUMBERING = """
create function only_numbering() returns trigger language plpgsql as $$
begin
    if (to_jsonb(new) - 'seq' - 'epoch') <> (to_jsonb(old) - 'seq' - 'epoch') or old.seq is not null then
        raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
    end if;
    return new;
end $$
"""
APPEND_ONLY = ("audit", "decision")


def upgrade() -> None:
    for function in (REFUSE, ONLY_STATE, ONLY_NUMBERING):
        op.execute(function)
    for table in APPEND_ONLY:
        op.execute(f"create trigger append_only before update or delete on {table} for each row execute function refuse_change()")
        op.execute(f"create trigger never_emptied before truncate on {table} for each statement execute function refuse_change()")
    for table, function in (("source_record_version", "only_state_changes"), ("event", "only_numbering")):
        op.execute(f"create trigger append_only before update on {table} for each row execute function {function}()")
        op.execute(f"create trigger never_deleted before delete on {table} for each row execute function refuse_change()")
    # The hash of set and conditions stands for them: btree_gist, which could compare the text itself, is not everywhere to be had.
    op.execute(
        "alter table mapping_rule add constraint mapping_rule_no_overlap exclude using gist ("
        "int8range(conditions_hash, conditions_hash, '[]') with &&, daterange(valid_from, valid_to, '[]') with &&)"
        " where (status = 'approved')"
    )
    # Index-only lookups need a fresh visibility map.
    op.execute("alter table xref set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02)")
    op.execute("insert into feed_position (epoch) values (gen_random_uuid())")


def downgrade() -> None:
    op.execute("delete from feed_position")
    op.execute("alter table xref reset (autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor)")
    op.execute("alter table mapping_rule drop constraint mapping_rule_no_overlap")
    for function in ("refuse_change", "only_state_changes", "only_numbering"):
        op.execute(f"drop function {function}() cascade")
