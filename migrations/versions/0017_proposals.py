"""A proposal is about a task as it was: it is withdrawn whenever the task changes or closes."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.execute(
        "create function withdraw_proposal() returns trigger language plpgsql as $$ begin"
        " update proposal set status = 'withdrawn', settled_at = now() where task_id = new.id and status = 'open';"
        " if found then new.waits_for := nullif(new.waits_for, 'approval');"
        " if new.waits_for is null then new.waits_until := null; end if; end if;"
        " return new; end $$"
    )
    op.execute(
        "create trigger withdraw_proposal before update on task for each row"
        " when (old.status = 'open' and (new.version <> old.version or new.status <> old.status)) execute function withdraw_proposal()"
    )
    op.execute(
        "with gone as (update proposal p set status = 'withdrawn', settled_at = now() from task t where t.id = p.task_id"
        " and p.status = 'open' and (t.status <> 'open' or t.version <> p.task_version) returning p.task_id)"
        " update task t set waits_for = null, waits_until = null from gone where t.id = gone.task_id and t.waits_for = 'approval'"
    )


def downgrade() -> None:
    op.execute("drop trigger withdraw_proposal on task")
    op.execute("drop function withdraw_proposal()")
