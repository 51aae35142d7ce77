"""Purchases that are due, by organisation: organisations take turns."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_UNSETTLED = "state IN ('requested', 'sent', 'unknown')"
_DUE = {"top_ups": "state IN ('requested', 'sent', 'unknown', 'ordered')", "order_requests": _UNSETTLED}


def upgrade() -> None:
    for table, rows in _DUE.items():
        op.create_index(
            f"ix_{table}_due_by_owner",
            table,
            ["organization_id", "next_look_at"],
            postgresql_where=sa.text(rows),
        )
        op.drop_index(f"ix_{table}_due", table)
    op.create_index(
        "ix_order_requests_queued_by_owner",
        "order_requests",
        ["organization_id", "id"],
        postgresql_where=sa.text("queued AND state = 'requested'"),
    )


def downgrade() -> None:
    op.drop_index("ix_order_requests_queued_by_owner", "order_requests")
    for table, rows in _DUE.items():
        op.create_index(f"ix_{table}_due", table, ["next_look_at"], postgresql_where=sa.text(rows))
        op.drop_index(f"ix_{table}_due_by_owner", table)
