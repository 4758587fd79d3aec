"""A row of a plan names it without a reference: the check of each row took a third of writing it, and no plan is ever deleted."""

from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.drop_constraint(op.f("fk_load_row_plan_id"), "load_row", type_="foreignkey")


def downgrade() -> None:
    op.create_foreign_key(op.f("fk_load_row_plan_id"), "load_row", "load_plan", ["plan_id"], ["id"])
