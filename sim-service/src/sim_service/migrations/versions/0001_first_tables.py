"""The first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

SEARCH_TEXT = (
    "lower(coalesce(iccid, '') "
    "|| ' ' || coalesce(iccid_with_luhn, '') "
    "|| ' ' || coalesce(imsi, '') "
    "|| ' ' || coalesce(imsi_2, '') "
    "|| ' ' || coalesce(msisdn, '') "
    "|| ' ' || coalesce(imei, '') "
    "|| ' ' || coalesce(ip_address, '') "
    "|| ' ' || coalesce(label, ''))"
)


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.create_table(
        "device_facts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("iccid", sa.String(length=40), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_facts")),
    )
    op.create_index(
        "ix_device_facts_iccid",
        "device_facts",
        ["iccid"],
        unique=False,
        postgresql_where=sa.text("iccid IS NOT NULL"),
    )
    op.create_index("ix_device_facts_organization_id", "device_facts", ["organization_id"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("failures", sa.SmallInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("leased_by", sa.String(length=64), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index("ix_jobs_created_at", "jobs", ["created_at", "id"], unique=False)
    op.create_index("ix_jobs_kind_state_started", "jobs", ["kind", "state", "started_at"], unique=False)
    op.create_index(
        "uq_jobs_open_kind",
        "jobs",
        ["kind"],
        unique=True,
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )
    op.create_table(
        "sim_usage",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("iccid", sa.String(length=19), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("data_mo_bytes", sa.BigInteger(), nullable=False),
        sa.Column("data_mt_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sms_mo", sa.Integer(), nullable=False),
        sa.Column("sms_mt", sa.Integer(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "iccid", "day", name=op.f("pk_sim_usage")),
    )
    op.create_index("ix_sim_usage_owner_day", "sim_usage", ["organization_id", "day"], unique=False)
    op.create_table(
        "sims",
        sa.Column("iccid", sa.String(length=19), nullable=False),
        sa.Column("carrier", sa.String(length=20), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("iccid_with_luhn", sa.String(length=22), nullable=True),
        sa.Column("imsi", sa.String(length=20), nullable=True),
        sa.Column("imsi_2", sa.String(length=20), nullable=True),
        sa.Column("current_imsi", sa.String(length=20), nullable=True),
        sa.Column("msisdn", sa.String(length=20), nullable=True),
        sa.Column("imei", sa.String(length=20), nullable=True),
        sa.Column("imei_lock", sa.Boolean(), nullable=True),
        sa.Column("ip_address", sa.String(length=45), nullable=True),
        sa.Column("label", sa.String(length=255), server_default="", nullable=False),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("data_quota_state", sa.String(length=20), nullable=True),
        sa.Column("sms_quota_state", sa.String(length=20), nullable=True),
        sa.Column("missing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("synced_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("search_text", sa.Text(), sa.Computed(SEARCH_TEXT, persisted=True), nullable=False),
        sa.PrimaryKeyConstraint("iccid", name=op.f("pk_sims")),
        sa.UniqueConstraint("device_id", name=op.f("uq_sims_device_id")),
    )
    op.create_index("ix_sims_owner_created", "sims", ["organization_id", "created_at", "iccid"], unique=False)
    op.create_index("ix_sims_owner_iccid", "sims", ["organization_id", "iccid"], unique=False)
    op.create_index("ix_sims_owner_label", "sims", ["organization_id", "label", "iccid"], unique=False)
    op.create_index("ix_sims_owner_status", "sims", ["organization_id", "status", "iccid"], unique=False)
    op.create_index("ix_sims_owner_updated", "sims", ["organization_id", "updated_at", "iccid"], unique=False)
    op.create_index(
        "ix_sims_search",
        "sims",
        ["search_text"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"search_text": "gin_trgm_ops"},
    )
    op.create_index(
        "ix_sims_unclaimed",
        "sims",
        ["iccid"],
        unique=False,
        postgresql_where=sa.text("organization_id IS NULL"),
    )
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
        "job_pages",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=False),
        sa.Column("iccids", postgresql.ARRAY(sa.String(length=19)), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_job_pages_job_id_jobs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "page", name=op.f("pk_job_pages")),
    )
    op.create_table(
        "sim_quotas",
        sa.Column("iccid", sa.String(length=19), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("remaining", sa.Numeric(precision=26, scale=9), nullable=False),
        sa.Column("total", sa.Numeric(precision=26, scale=9), nullable=False),
        sa.Column("threshold_percent", sa.SmallInteger(), nullable=False),
        sa.Column("last_added", sa.Numeric(precision=26, scale=9), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["iccid"], ["sims.iccid"], name=op.f("fk_sim_quotas_iccid_sims"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("iccid", "kind", name=op.f("pk_sim_quotas")),
    )
    op.create_index("ix_sim_quotas_owner_state", "sim_quotas", ["organization_id", "state"], unique=False)
    op.create_table(
        "sim_usage_states",
        sa.Column("iccid", sa.String(length=19), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("known_from", sa.Date(), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["iccid"], ["sims.iccid"], name=op.f("fk_sim_usage_states_iccid_sims"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("iccid", name=op.f("pk_sim_usage_states")),
    )


def downgrade() -> None:
    for table in (
        "sim_usage_states",
        "sim_quotas",
        "job_pages",
        "t_outbox",
        "t_idempotency_keys",
        "sims",
        "sim_usage",
        "jobs",
        "device_facts",
    ):
        op.drop_table(table)
