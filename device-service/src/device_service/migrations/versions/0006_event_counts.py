"""How many reported events an organisation has."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute(
        "INSERT INTO t_organization_limits (organization_id, name, used)"
        " SELECT organization_id, 'device_events', count(*) FROM t_device_events GROUP BY organization_id"
    )


def downgrade() -> None:
    op.execute("DELETE FROM t_organization_limits WHERE name = 'device_events'")
