"""Equal orders of two organisations: the second is queued rather than refused."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_UNSETTLED = "state IN ('requested', 'sent', 'unknown')"


def upgrade() -> None:
    op.add_column(
        "order_requests", sa.Column("queued", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.create_index(
        "uq_order_requests_asked",
        "order_requests",
        ["lines"],
        unique=True,
        postgresql_where=sa.text(f"{_UNSETTLED} AND NOT queued"),
    )
    op.drop_index("uq_order_requests_unsettled", "order_requests")
    op.create_index(
        "ix_order_requests_queued",
        "order_requests",
        ["lines", "id"],
        postgresql_where=sa.text("queued AND state = 'requested'"),
    )


def downgrade() -> None:
    op.execute(
        "UPDATE order_requests SET state = 'failed', reason = 'NEVER_SENT'"
        " WHERE queued AND state = 'requested'"
    )
    op.drop_index("ix_order_requests_queued", "order_requests")
    op.create_index(
        "uq_order_requests_unsettled",
        "order_requests",
        ["lines"],
        unique=True,
        postgresql_where=sa.text(_UNSETTLED),
    )
    op.drop_index("uq_order_requests_asked", "order_requests")
    op.drop_column("order_requests", "queued")
