"""Grants of organisations, claim codes, and what orders cost.

Nobody is granted anything: organisations that are here already need a grant like new ones.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"

_MOMENT = sa.DateTime(timezone=True)
_AMOUNT = sa.Numeric(precision=14, scale=4)
_SWITCHES = ("orders", "top_ups", "extensions", "sms", "tickets", "resets")


def upgrade() -> None:
    op.create_table(
        "grants",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("budget_per_month", _AMOUNT, nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("order_approval_above", _AMOUNT, nullable=True),
        *(sa.Column(name, sa.Boolean(), nullable=False) for name in _SWITCHES),
        sa.Column("changed_by", sa.Uuid(), nullable=True),
        sa.Column("changed_at", _MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_grants")),
    )
    op.create_table(
        "claim_codes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("iccids", postgresql.ARRAY(sa.String(length=19)), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", _MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("used_by", sa.Uuid(), nullable=True),
        sa.Column("used_at", _MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claim_codes")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_claim_codes_code_hash")),
    )
    op.create_index(op.f("ix_claim_codes_expires_at"), "claim_codes", ["expires_at"])
    _extend_requests()


def _extend_requests() -> None:
    op.add_column("order_requests", sa.Column("amount", _AMOUNT, nullable=True))
    op.add_column("order_requests", sa.Column("currency", sa.String(length=3), nullable=True))
    counted = sa.Column("counted_at", _MOMENT, server_default=sa.text("now()"), nullable=False)
    op.add_column("order_requests", counted)
    op.add_column("order_requests", sa.Column("decided_by", sa.Uuid(), nullable=True))
    op.add_column("order_requests", sa.Column("decided_at", _MOMENT, nullable=True))
    op.execute("UPDATE order_requests SET counted_at = created_at")
    op.execute(
        "UPDATE order_requests SET amount = orders.amount, currency = orders.currency"
        " FROM orders WHERE orders.number = order_requests.order_number AND orders.currency IS NOT NULL"
        " AND orders.amount > 0"  # zero until it is invoiced: unknown, not free
    )
    op.create_index("ix_order_requests_owner_counted", "order_requests", ["organization_id", "counted_at"])
    waits = sa.text("state = 'awaiting_approval'")
    op.create_index("ix_order_requests_awaiting", "order_requests", ["id"], postgresql_where=waits)


def downgrade() -> None:
    op.execute("UPDATE order_requests SET state = 'failed' WHERE state = 'awaiting_approval'")
    for name in ("awaiting", "owner_counted"):
        op.drop_index(f"ix_order_requests_{name}", table_name="order_requests")
    for name in ("decided_at", "decided_by", "counted_at", "currency", "amount"):
        op.drop_column("order_requests", name)
    op.drop_table("claim_codes")
    op.drop_table("grants")
