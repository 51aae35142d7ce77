"""First tables: devices, their keys and events, outbox, idempotency keys."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "t_devices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("config", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("iccid", sa.String(length=20), nullable=True),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("status", sa.String(length=10), server_default=sa.text("'never_seen'"), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("status IN ('never_seen', 'online', 'offline')", name=op.f("ck_t_devices_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_t_devices")),
        sa.UniqueConstraint("organization_id", "iccid", name="uq_t_devices_organization_id_iccid"),
        sa.UniqueConstraint("organization_id", "name", name="uq_t_devices_organization_id_name"),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index(
        "ix_t_devices_organization_id_created_at",
        "t_devices",
        ["organization_id", "created_at", "id"],
        unique=False,
    )
    op.create_index("ix_t_devices_tags", "t_devices", ["tags"], unique=False, postgresql_using="gin")
    op.create_table(
        "t_idempotency_keys",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("owner", "key", name=op.f("pk_t_idempotency_keys")),
    )
    op.create_index(
        op.f("ix_t_idempotency_keys_created_at"), "t_idempotency_keys", ["created_at"], unique=False
    )
    op.create_table(
        "t_outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("aggregate", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_t_outbox")),
        sa.UniqueConstraint("event_id", name=op.f("uq_t_outbox_event_id")),
    )
    op.create_index(
        "ix_t_outbox_sent_at",
        "t_outbox",
        ["sent_at"],
        unique=False,
        postgresql_where=sa.text("sent_at IS NOT NULL"),
    )
    op.create_index(
        "ix_t_outbox_unsent",
        "t_outbox",
        ["bucket", "id"],
        unique=False,
        postgresql_where=sa.text("sent_at IS NULL"),
    )
    op.create_table(
        "t_device_credentials",
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"],
            ["t_devices.id"],
            name=op.f("fk_t_device_credentials_device_id_t_devices"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_t_device_credentials")),
    )
    op.create_table(
        "t_device_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"],
            ["t_devices.id"],
            name=op.f("fk_t_device_events_device_id_t_devices"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_t_device_events")),
    )
    op.create_index("ix_t_device_events_device_id_id", "t_device_events", ["device_id", "id"], unique=False)


def downgrade() -> None:
    for table in ("t_device_events", "t_device_credentials", "t_outbox", "t_idempotency_keys", "t_devices"):
        op.drop_table(table)
