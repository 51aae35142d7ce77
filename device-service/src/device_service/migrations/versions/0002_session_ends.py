"""Devices whose open sessions at the broker have to be closed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "t_session_ends",
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_t_session_ends")),
    )
    op.create_index(op.f("ix_t_session_ends_due_at"), "t_session_ends", ["due_at"], unique=False)


def downgrade() -> None:
    op.drop_table("t_session_ends")
