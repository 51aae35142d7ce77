"""Short messages and support tickets."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "sms_messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("iccid", sa.String(length=19), nullable=False),
        sa.Column("direction", sa.String(length=2), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("coding", sa.String(length=10), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=True),
        sa.Column("destination", sa.String(length=40), nullable=True),
        sa.Column("reference", sa.Integer(), nullable=True),
        sa.Column("parts_total", sa.SmallInteger(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=True),
        sa.Column("sent_at", _MOMENT, nullable=True),
        sa.Column("delivered_at", _MOMENT, nullable=True),
        sa.Column("final_at", _MOMENT, nullable=True),
        sa.Column("error_code", sa.String(length=60), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("look_at", _MOMENT, nullable=True),
        sa.Column("failures", sa.SmallInteger(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", _MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sms_messages")),
    )
    op.create_index(
        "ix_sms_messages_due",
        "sms_messages",
        ["look_at", "state"],
        postgresql_where=sa.text("look_at IS NOT NULL"),
    )
    op.create_index("ix_sms_messages_at", "sms_messages", ["at", "id"])
    op.create_index("ix_sms_messages_owner_at", "sms_messages", ["organization_id", "at", "id"])
    op.create_index("ix_sms_messages_sim_at", "sms_messages", ["iccid", "at", "id"])
    op.create_table(
        "sms_parts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("iccid", sa.String(length=19), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("udh", sa.String(length=280), server_default="", nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("carrier_id", sa.String(length=40), nullable=True),
        sa.Column("asked_at", _MOMENT, nullable=True),
        sa.Column("delivered_at", _MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["sms_messages.id"],
            name=op.f("fk_sms_parts_message_id_sms_messages"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sms_parts")),
    )
    op.create_index(
        "uq_sms_parts_carrier_id",
        "sms_parts",
        ["iccid", "carrier_id"],
        unique=True,
        postgresql_where=sa.text("carrier_id IS NOT NULL"),
    )
    op.create_index("uq_sms_parts_number", "sms_parts", ["message_id", "number"], unique=True)
    op.create_table(
        "sms_reports",
        sa.Column("iccid", sa.String(length=19), nullable=False),
        sa.Column("carrier_id", sa.String(length=40), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("delivered_at", _MOMENT, nullable=True),
        sa.Column("received_at", _MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("iccid", "carrier_id", name=op.f("pk_sms_reports")),
    )
    op.create_index(op.f("ix_sms_reports_received_at"), "sms_reports", ["received_at"])
    op.create_table(
        "support_tickets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("carrier_id", sa.String(length=40), nullable=True),
        sa.Column("subject", sa.String(length=500), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sender", sa.String(length=255), nullable=True),
        sa.Column("reply_to", sa.String(length=255), nullable=True),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("asked_at", _MOMENT, nullable=True),
        sa.Column("created_at", _MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("solved_at", _MOMENT, nullable=True),
        sa.Column("synced_at", _MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_support_tickets")),
        sa.UniqueConstraint("carrier_id", name=op.f("uq_support_tickets_carrier_id")),
    )
    op.create_index("ix_support_tickets_created", "support_tickets", ["created_at", "id"])
    op.create_index(
        "ix_support_tickets_owner_created", "support_tickets", ["organization_id", "created_at", "id"]
    )
    op.create_index(
        "ix_support_tickets_unseen",
        "support_tickets",
        ["asked_at"],
        postgresql_where=sa.text("carrier_id IS NULL"),
    )
    op.create_table(
        "support_ticket_entries",
        sa.Column("ticket_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("carrier_id", sa.String(length=40), nullable=False),
        sa.Column("at", _MOMENT, nullable=True),
        sa.Column("from_us", sa.Boolean(), nullable=False),
        sa.Column("author", sa.String(length=255), nullable=True),
        sa.Column("subject", sa.String(length=500), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ticket_id"],
            ["support_tickets.id"],
            name=op.f("fk_support_ticket_entries_ticket_id_support_tickets"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("ticket_id", "number", name=op.f("pk_support_ticket_entries")),
    )


def downgrade() -> None:
    for name in ("support_ticket_entries", "support_tickets", "sms_reports", "sms_parts", "sms_messages"):
        op.drop_table(name)
