"""Close sessions organisation by organisation."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
UNKNOWN = "00000000-0000-0000-0000-000000000000"


def upgrade() -> None:
    # The default is for rows that the earlier version goes on writing until its last replica has ended.
    op.add_column(
        "t_session_ends",
        sa.Column("organization_id", sa.Uuid(), server_default=UNKNOWN, nullable=False),
    )
    op.add_column(
        "t_session_ends",
        sa.Column("closed_once", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.execute("UPDATE t_session_ends SET closed_once = true WHERE due_at > since")
    op.execute(
        "UPDATE t_session_ends AS noted SET organization_id = device.organization_id"
        " FROM t_devices AS device WHERE device.id = noted.device_id"
    )
    op.create_index(
        "ix_t_session_ends_organization_id_due_at",
        "t_session_ends",
        ["organization_id", "closed_once", "due_at"],
    )
    op.drop_index("ix_t_session_ends_due_at", "t_session_ends")


def downgrade() -> None:
    op.create_index(op.f("ix_t_session_ends_due_at"), "t_session_ends", ["due_at"], unique=False)
    op.drop_index("ix_t_session_ends_organization_id_due_at", "t_session_ends")
    op.drop_column("t_session_ends", "closed_once")
    op.drop_column("t_session_ends", "organization_id")
