"""Indexes of what is forgotten (deleted devices, decided proposals, failed purchases); counts of messages."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_INDEXES = (
    ("ix_device_facts_deleted", "device_facts", "deleted_at", "deleted_at IS NOT NULL"),
    ("ix_policy_proposals_decided", "policy_proposals", "decided_at", "decided_at IS NOT NULL"),
    ("ix_top_ups_failed", "top_ups", "settled_at", "state = 'failed'"),
    ("ix_order_requests_failed", "order_requests", "settled_at", "state = 'failed'"),
)


def upgrade() -> None:
    for name, table, column, rows in _INDEXES:
        op.create_index(name, table, [column], postgresql_where=sa.text(rows))
    op.execute(
        "INSERT INTO t_organization_limits (organization_id, name, used)"
        " SELECT organization_id, 'support_tickets', count(*) FROM support_tickets"
        " WHERE organization_id IS NOT NULL GROUP BY organization_id"
        " UNION ALL SELECT organization_id, 'sms_messages', count(*) FROM sms_messages"
        " WHERE organization_id IS NOT NULL AND direction = 'mt' GROUP BY organization_id"
    )


def downgrade() -> None:
    op.execute("DELETE FROM t_organization_limits WHERE name IN ('support_tickets', 'sms_messages')")
    for name, table, _, _ in _INDEXES:
        op.drop_index(name, table)
