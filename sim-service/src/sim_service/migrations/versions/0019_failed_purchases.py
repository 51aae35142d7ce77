"""Failed purchases without an order, by organisation: the oldest beyond a number are deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

_TABLES = ("order_requests", "top_ups")
_ROWS = sa.text("state = 'failed' AND order_number IS NULL AND reason <> 'CARRIER_ORDER_NOT_FOUND'")


def upgrade() -> None:
    for table in _TABLES:
        name = f"ix_{table}_unordered_by_owner"
        op.create_index(name, table, ["organization_id", "id"], postgresql_where=_ROWS)


def downgrade() -> None:
    for table in _TABLES:
        op.drop_index(f"ix_{table}_unordered_by_owner", table)
