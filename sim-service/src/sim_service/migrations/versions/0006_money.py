"""Orders, products, top-ups, policies and their ledger."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "top_ups",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("iccid", sa.String(length=19), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("payment_method", sa.String(length=20), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=True),
        sa.Column("order_number", sa.String(length=40), nullable=True),
        sa.Column("amount", sa.Numeric(precision=14, scale=4), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("policy_id", sa.Uuid(), nullable=True),
        sa.Column("reference", sa.String(length=100), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("before", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("looks", sa.SmallInteger(), nullable=False),
        sa.Column("next_look_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_top_ups")),
    )
    op.create_index("ix_top_ups_created", "top_ups", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_top_ups_due",
        "top_ups",
        ["next_look_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('requested', 'sent', 'unknown', 'ordered')"),
    )
    op.create_index("ix_top_ups_iccid_created", "top_ups", ["iccid", "created_at", "id"], unique=False)
    op.create_index(
        "ix_top_ups_owner_created", "top_ups", ["organization_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_top_ups_policy_created",
        "top_ups",
        ["policy_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("policy_id IS NOT NULL"),
    )
    op.create_index(
        "ix_top_ups_priced",
        "top_ups",
        ["kind", "created_at"],
        unique=False,
        postgresql_where=sa.text("NOT estimated"),
    )
    op.create_index(
        "uq_top_ups_order_iccid",
        "top_ups",
        ["order_number", "iccid"],
        unique=True,
        postgresql_where=sa.text("order_number IS NOT NULL"),
    )
    op.create_index(
        "uq_top_ups_reference_iccid",
        "top_ups",
        ["reference", "iccid"],
        unique=True,
        postgresql_where=sa.text("reference IS NOT NULL"),
    )
    op.create_index(
        "uq_top_ups_unsettled_iccid",
        "top_ups",
        ["iccid"],
        unique=True,
        postgresql_where=sa.text("state IN ('requested', 'sent', 'unknown')"),
    )


def downgrade() -> None:
    for table in ("top_ups",):
        op.drop_table(table)
