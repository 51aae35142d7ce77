"""Orders, products, top-ups, policies and their ledger; forecasts and own thresholds of quotas."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"

TABLES = (
    "top_ups",
    "quota_thresholds",
    "topup_policies",
    "policy_proposals",
    "policy_decisions",
    "carrier_looks",
    "products",
    "orders",
    "order_items",
    "order_requests",
)
QUOTA_COLUMNS = (
    "carrier_state",
    "exhausted_on",
    "exhausted_earliest",
    "exhausted_latest",
    "per_day",
    "basis_days",
    "ends_on",
)


def upgrade() -> None:
    _create_tables()
    _extend_quotas()


def _create_tables() -> None:
    op.create_table(
        "carrier_looks",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_carrier_looks")),
    )
    op.create_table(
        "order_requests",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("products", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("lines", sa.Text(), nullable=False),
        sa.Column("address", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("customer_reference", sa.String(length=255), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("order_number", sa.String(length=40), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("looks", sa.SmallInteger(), nullable=False),
        sa.Column("next_look_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_requests")),
    )
    op.create_index(
        "ix_order_requests_due",
        "order_requests",
        ["next_look_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('requested', 'sent', 'unknown')"),
    )
    op.create_index("ix_order_requests_owner_id", "order_requests", ["organization_id", "id"], unique=False)
    op.create_index(
        "uq_order_requests_order",
        "order_requests",
        ["order_number"],
        unique=True,
        postgresql_where=sa.text("order_number IS NOT NULL"),
    )
    op.create_index(
        "uq_order_requests_unsettled",
        "order_requests",
        ["lines"],
        unique=True,
        postgresql_where=sa.text("state IN ('requested', 'sent', 'unknown')"),
    )
    op.create_table(
        "orders",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("carrier", sa.String(length=20), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=4), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("invoice_number", sa.String(length=40), nullable=True),
        sa.Column("products", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "shipping_address", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("synced_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_orders")),
    )
    op.create_index(
        "ix_orders_open",
        "orders",
        ["number"],
        unique=False,
        postgresql_where=sa.text("state NOT IN ('completed', 'cancelled')"),
    )
    op.create_index(
        "ix_orders_owner_placed", "orders", ["organization_id", "placed_at", "number"], unique=False
    )
    op.create_index("ix_orders_placed", "orders", ["placed_at", "number"], unique=False)
    op.create_table(
        "products",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("material", sa.Text(), nullable=True),
        sa.Column("package_size", sa.Integer(), nullable=True),
        sa.Column("smallest_quantity", sa.Integer(), nullable=True),
        sa.Column("largest_quantity", sa.Integer(), nullable=True),
        sa.Column("price", sa.Numeric(precision=14, scale=4), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("months", sa.Integer(), nullable=True),
        sa.Column("charges", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
    )
    op.create_table(
        "quota_thresholds",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("iccid", sa.String(length=19), nullable=False),
        sa.Column("percent", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "kind", "iccid", name=op.f("pk_quota_thresholds")),
    )
    op.create_table(
        "top_ups",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("iccid", sa.String(length=19), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("payment_method", sa.String(length=20), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=True),
        sa.Column("amount", sa.Numeric(precision=14, scale=4), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("policy_id", sa.Uuid(), nullable=True),
        sa.Column("reference", sa.String(length=100), nullable=True),
        sa.Column("before", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("order_number", sa.String(length=40), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("looks", sa.SmallInteger(), nullable=False),
        sa.Column("next_look_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_top_ups")),
    )
    op.create_index("ix_top_ups_created", "top_ups", ["created_at"], unique=False)
    op.create_index(
        "ix_top_ups_due",
        "top_ups",
        ["next_look_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('requested', 'sent', 'unknown', 'ordered')"),
    )
    op.create_index("ix_top_ups_iccid_id", "top_ups", ["iccid", "id"], unique=False)
    op.create_index("ix_top_ups_owner_created", "top_ups", ["organization_id", "created_at"], unique=False)
    op.create_index("ix_top_ups_owner_id", "top_ups", ["organization_id", "id"], unique=False)
    op.create_index(
        "ix_top_ups_policy_created",
        "top_ups",
        ["policy_id", "created_at"],
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
    op.create_table(
        "topup_policies",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("select_by", sa.String(length=10), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("iccids", postgresql.ARRAY(sa.String(length=19)), nullable=False),
        sa.Column("forecast_below_days", sa.SmallInteger(), nullable=True),
        sa.Column("remaining_below_percent", sa.SmallInteger(), nullable=True),
        sa.Column("most_per_sim", sa.SmallInteger(), nullable=False),
        sa.Column("budget", sa.Numeric(precision=14, scale=4), nullable=False),
        sa.Column("approval_above", sa.Integer(), nullable=True),
        sa.Column("payment_method", sa.String(length=20), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("evaluated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_topup_policies")),
    )
    op.create_index(
        "ix_topup_policies_owner_id",
        "topup_policies",
        ["organization_id", "id"],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "order_items",
        sa.Column("order_number", sa.String(length=40), nullable=False),
        sa.Column("iccid", sa.String(length=19), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["order_number"],
            ["orders.number"],
            name=op.f("fk_order_items_order_number_orders"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("order_number", "iccid", name=op.f("pk_order_items")),
    )
    op.create_index("ix_order_items_iccid", "order_items", ["iccid"], unique=False)
    op.create_index("ix_order_items_owner", "order_items", ["organization_id", "order_number"], unique=False)
    op.create_index(
        "ix_order_items_unowned",
        "order_items",
        ["iccid"],
        unique=False,
        postgresql_where=sa.text("organization_id IS NULL"),
    )
    op.create_table(
        "policy_decisions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("policy_id", sa.Uuid(), nullable=False),
        sa.Column("iccid", sa.String(length=19), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("decision", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=30), nullable=False),
        sa.Column("top_up_id", sa.Uuid(), nullable=True),
        sa.Column("proposal_id", sa.Uuid(), nullable=True),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["policy_id"],
            ["topup_policies.id"],
            name=op.f("fk_policy_decisions_policy_id_topup_policies"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_decisions")),
    )
    op.create_index("ix_policy_decisions_day", "policy_decisions", ["day"], unique=False)
    op.create_index("ix_policy_decisions_policy_id", "policy_decisions", ["policy_id", "id"], unique=False)
    op.create_index(
        "uq_policy_decisions_day",
        "policy_decisions",
        ["policy_id", "iccid", "day", "decision", "reason"],
        unique=True,
        postgresql_where=sa.text("decision IN ('skipped', 'would_top_up')"),
    )
    op.create_table(
        "policy_proposals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("policy_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("iccids", postgresql.ARRAY(sa.String(length=19)), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=4), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["policy_id"],
            ["topup_policies.id"],
            name=op.f("fk_policy_proposals_policy_id_topup_policies"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_proposals")),
    )
    op.create_index("ix_policy_proposals_policy_id", "policy_proposals", ["policy_id", "id"], unique=False)
    op.create_index(
        "uq_policy_proposals_pending",
        "policy_proposals",
        ["policy_id"],
        unique=True,
        postgresql_where=sa.text("state = 'pending'"),
    )


def _extend_quotas() -> None:
    op.add_column("sim_quotas", sa.Column("carrier_state", sa.String(length=20), nullable=True))
    op.add_column("sim_quotas", sa.Column("exhausted_on", sa.Date(), nullable=True))
    op.add_column("sim_quotas", sa.Column("exhausted_earliest", sa.Date(), nullable=True))
    op.add_column("sim_quotas", sa.Column("exhausted_latest", sa.Date(), nullable=True))
    op.add_column("sim_quotas", sa.Column("per_day", sa.Double(), nullable=True))
    op.add_column(
        "sim_quotas", sa.Column("basis_days", sa.SmallInteger(), server_default="0", nullable=False)
    )
    op.add_column("sim_quotas", sa.Column("ends_on", sa.Date(), server_default="infinity", nullable=False))
    op.create_index("ix_sim_quotas_owner_ends", "sim_quotas", ["organization_id", "kind", "ends_on", "iccid"])
    op.create_index("ix_sim_quotas_ends", "sim_quotas", ["kind", "ends_on", "iccid"])


def downgrade() -> None:
    op.drop_index("ix_sim_quotas_ends", "sim_quotas")
    op.drop_index("ix_sim_quotas_owner_ends", "sim_quotas")
    for column in QUOTA_COLUMNS:
        op.drop_column("sim_quotas", column)
    for table in reversed(TABLES):
        op.drop_table(table)
