"""Tags, metadata, releases, and what is to become of a SIM."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

OPEN = sa.text("state IN ('pending', 'sent')")
LEASED = sa.text("leased_until IS NOT NULL")

SORTS = {"label": "label", "status": "status", "created_at": "created", "updated_at": "updated"}
RARE = (
    ("ix_sims_owner_linked", ("organization_id",), "device_id IS NOT NULL"),
    ("ix_sims_owner_missing", ("organization_id",), "missing_since IS NOT NULL"),
    ("ix_sims_owner_desired", ("organization_id", "desired_status"), "desired_status IS NOT NULL"),
    ("ix_sims_owner_data_quota", ("organization_id", "data_quota_state"), "data_quota_state <> 'ok'"),
    ("ix_sims_owner_sms_quota", ("organization_id", "sms_quota_state"), "sms_quota_state <> 'ok'"),
)


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gin")
    op.add_column("sims", sa.Column("desired_status", sa.String(length=20), nullable=True))
    op.add_column(
        "sims",
        sa.Column("lifecycle", sa.String(length=20), server_default="unknown", nullable=False),
    )
    op.add_column("sims", sa.Column("drift_due_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "sims",
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    )
    op.add_column(
        "sims",
        sa.Column("metadata", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
    )
    op.execute("UPDATE sims SET lifecycle = status")
    op.create_index("ix_sims_owner_lifecycle", "sims", ["organization_id", "lifecycle", "iccid"])
    op.create_index("ix_sims_owner_tags", "sims", ["organization_id", "tags"], postgresql_using="gin")
    op.create_index(
        "ix_sims_drift_due",
        "sims",
        ["drift_due_at"],
        postgresql_where=sa.text("drift_due_at IS NOT NULL"),
    )
    for column, name in SORTS.items():
        op.create_index(f"ix_sims_{name}", "sims", [column, "iccid"])
    for name, columns, where in RARE:
        op.create_index(name, "sims", [*columns, "iccid"], postgresql_where=sa.text(where))
    _actions()
    _releases()


def _actions() -> None:
    op.create_table(
        "sim_actions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("iccid", sa.String(length=19), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("what", sa.String(length=20), nullable=False),
        sa.Column("wanted", postgresql.JSONB(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["iccid"], ["sims.iccid"], name=op.f("fk_sim_actions_iccid_sims"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sim_actions")),
    )
    op.create_index("ix_sim_actions_iccid", "sim_actions", ["iccid", "id"])
    op.create_index("ix_sim_actions_due", "sim_actions", ["priority", "due_at"], postgresql_where=OPEN)
    op.create_index(
        "ix_sim_actions_finished",
        "sim_actions",
        ["finished_at"],
        postgresql_where=sa.text("finished_at IS NOT NULL"),
    )
    op.create_index("ix_sim_actions_leased", "sim_actions", ["iccid"], postgresql_where=LEASED)
    op.create_index(
        "uq_sim_actions_open", "sim_actions", ["iccid", "what"], unique=True, postgresql_where=OPEN
    )


def _releases() -> None:
    op.create_table(
        "sim_releases",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("iccid", sa.String(length=19), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("label", sa.String(length=255), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("released_by", sa.Uuid(), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sim_releases")),
    )
    op.create_index("ix_sim_releases_owner", "sim_releases", ["organization_id", "id"])


def downgrade() -> None:
    op.drop_table("sim_releases")
    op.drop_table("sim_actions")
    for name, _, _ in RARE:
        op.drop_index(name, "sims")
    for name in (*SORTS.values(), "drift_due", "owner_tags", "owner_lifecycle"):
        op.drop_index(f"ix_sims_{name}", "sims")
    for column in ("metadata", "tags", "drift_due_at", "lifecycle", "desired_status"):
        op.drop_column("sims", column)
