"""Messages that are due, by organisation: organisations take turns."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_INDEXES = {
    "ix_sms_messages_unsent": "'scheduled', 'pending'",
    "ix_sms_messages_under_way": "'sent', 'unknown'",
}


def upgrade() -> None:
    for name, states in _INDEXES.items():
        op.create_index(
            name,
            "sms_messages",
            ["organization_id", "look_at"],
            postgresql_where=sa.text(f"look_at IS NOT NULL AND direction = 'mt' AND state IN ({states})"),
        )


def downgrade() -> None:
    for name in _INDEXES:
        op.drop_index(name, "sms_messages")
