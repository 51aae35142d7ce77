"""How many devices an organisation has, and how many it may have."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "t_organization_limits",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("used", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("maximum", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "name", name=op.f("pk_t_organization_limits")),
    )
    op.execute(
        "INSERT INTO t_organization_limits (organization_id, name, used)"
        " SELECT organization_id, 'devices', count(*) FROM t_devices GROUP BY organization_id"
    )


def downgrade() -> None:
    op.drop_table("t_organization_limits")
