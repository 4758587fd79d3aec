"""Tasks are routed to queues by rules, wherever they are opened; a list is counted by queue too."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

ANY = sa.text("''")
OPEN = sa.text("status = 'open'")


def upgrade() -> None:
    op.create_table(
        "routing_rule",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("domain", sa.Text, nullable=False, server_default=ANY),
        sa.Column("kind", sa.Text, nullable=False, server_default=ANY),
        sa.Column("system", sa.Text, nullable=False, server_default=ANY),
        sa.Column("queue", sa.Text, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
        sa.PrimaryKeyConstraint("id", name="pk_routing_rule"),
        sa.UniqueConstraint("domain", "kind", "system", name="uq_routing_rule_domain_kind_system"),
    )
    op.add_column("task", sa.Column("queue", sa.Text))
    _count_by(["domain", "kind", "assigned_to", "queue", "due_at", "waits_until", "waits_for"])
    # Of the rules that fit, the one that says most: a system weighs more than a domain, a domain more than a kind.
    op.execute(
        "create function task_queue(of_domain text, of_kind text, of_records uuid[], about jsonb) returns text language sql stable as $$"
        " select r.queue from routing_rule r where r.domain in ('', of_domain) and r.kind in ('', of_kind) and (r.system = ''"
        " or r.system = about ->> 'system' or exists (select 1 from source_record s where s.id = any(of_records) and s.system = r.system))"
        " order by r.system <> '' desc, r.domain <> '' desc, r.kind <> '' desc, r.system limit 1 $$"
    )
    op.execute(
        "create function route_task() returns trigger language plpgsql as $$ begin"
        " new.queue := task_queue(new.domain, new.kind, new.records, new.detail); return new; end $$"
    )
    op.execute("create trigger route_task before insert on task for each row execute function route_task()")
    op.execute(
        "create trigger route_task_again before update of status on task for each row"
        " when (old.status <> 'open' and new.status = 'open') execute function route_task()"
    )


def downgrade() -> None:
    op.execute("drop trigger route_task_again on task")
    op.execute("drop trigger route_task on task")
    op.execute("drop function route_task()")
    op.execute("drop function task_queue(text, text, uuid[], jsonb)")
    _count_by(["domain", "kind", "assigned_to", "due_at", "waits_until", "waits_for"])
    op.drop_column("task", "queue")
    op.drop_table("routing_rule")


def _count_by(columns: list[str]) -> None:
    op.drop_index("ix_task_facets", "task")
    op.create_index("ix_task_facets", "task", columns, postgresql_where=OPEN)
