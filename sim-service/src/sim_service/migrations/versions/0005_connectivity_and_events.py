"""Where SIMs are, what the network noted, and when their devices were last heard."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("device_facts", sa.Column("online", sa.Boolean(), nullable=True))
    op.add_column("device_facts", sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True))
    _connectivity()
    _events()


def _connectivity() -> None:
    op.create_table(
        "sim_connectivity",
        sa.Column("iccid", sa.String(length=19), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("operator", sa.String(length=255), nullable=True),
        sa.Column("operator_id", sa.String(length=20), nullable=True),
        sa.Column("country", sa.String(length=2), nullable=True),
        sa.Column("country_name", sa.String(length=255), nullable=True),
        sa.Column("mcc", sa.String(length=3), nullable=True),
        sa.Column("mnc", sa.String(length=3), nullable=True),
        sa.Column("last_updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("limit_reached", sa.Boolean(), nullable=True),
        sa.Column("services", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("session", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cell", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("cell_fetched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reset_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["iccid"], ["sims.iccid"], name=op.f("fk_sim_connectivity_iccid_sims"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("iccid", name=op.f("pk_sim_connectivity")),
    )


def _events() -> None:
    op.create_table(
        "sim_events",
        sa.Column("iccid", sa.String(length=19), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("type_id", sa.Integer(), nullable=True),
        sa.Column("severity", sa.String(length=10), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("cause", sa.String(length=60), nullable=True),
        sa.Column("operator", sa.String(length=255), nullable=True),
        sa.Column("country", sa.String(length=255), nullable=True),
        sa.Column("imsi", sa.String(length=20), nullable=True),
        sa.Column("imei", sa.String(length=20), nullable=True),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("iccid", "id", name=op.f("pk_sim_events")),
    )
    op.create_index("ix_sim_events_iccid_at", "sim_events", ["iccid", "at", "id"], unique=False)
    op.create_index("ix_sim_events_at", "sim_events", ["at"], unique=False)
    op.create_table(
        "sim_event_states",
        sa.Column("iccid", sa.String(length=19), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("synced_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["iccid"], ["sims.iccid"], name=op.f("fk_sim_event_states_iccid_sims"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("iccid", name=op.f("pk_sim_event_states")),
    )


def downgrade() -> None:
    for table in ("sim_event_states", "sim_events", "sim_connectivity"):
        op.drop_table(table)
    op.drop_column("device_facts", "last_seen_at")
    op.drop_column("device_facts", "online")
