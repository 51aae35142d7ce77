"""Policies are counted for each organisation, and those deleted long ago are forgotten."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_index(
        "ix_topup_policies_deleted",
        "topup_policies",
        ["deleted_at"],
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
    )
    op.execute(
        "INSERT INTO t_organization_limits (organization_id, name, used)"
        " SELECT organization_id, 'policies', count(*) FROM topup_policies"
        " WHERE deleted_at IS NULL GROUP BY organization_id"
    )


def downgrade() -> None:
    op.execute("DELETE FROM t_organization_limits WHERE name = 'policies'")
    op.drop_index("ix_topup_policies_deleted", "topup_policies")
