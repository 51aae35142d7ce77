"""Jobs of organisations, with a result for each SIM, and schedules that people can change."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

_OPEN = sa.text("state IN ('queued', 'running')")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _jobs()
    op.create_table(
        "job_items",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("iccid", sa.String(length=19), nullable=False),
        sa.Column("state", sa.String(length=20), server_default="pending", nullable=False),
        sa.Column("error_code", sa.String(length=60), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("claimed_at", _MOMENT, nullable=True),
        sa.Column("finished_at", _MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_job_items_job_id_jobs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "number", name=op.f("pk_job_items")),
    )
    op.create_index("ix_job_items_state", "job_items", ["job_id", "state", "number"])
    op.create_table(
        "job_schedules",
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("every_seconds", sa.Float(), nullable=True),
        sa.Column("changed_by", sa.Uuid(), nullable=True),
        sa.Column("changed_at", _MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_job_schedules")),
    )


def _jobs() -> None:
    op.add_column("jobs", sa.Column("open_key", sa.Text(), nullable=True))
    params = postgresql.JSONB(astext_type=sa.Text())
    op.add_column("jobs", sa.Column("params", params, server_default="{}", nullable=False))
    op.add_column("jobs", sa.Column("announced_at", _MOMENT, nullable=True))
    op.add_column("jobs", sa.Column("cancel_requested_at", _MOMENT, nullable=True))
    op.execute("UPDATE jobs SET open_key = kind || '/account'")
    op.drop_index("uq_jobs_open_kind", table_name="jobs")
    op.create_index("uq_jobs_open_key", "jobs", ["open_key"], unique=True, postgresql_where=_OPEN)
    op.create_index("ix_jobs_open", "jobs", ["created_at"], postgresql_where=_OPEN)
    op.create_index("ix_jobs_kind_created", "jobs", ["kind", "created_at", "id"])
    op.create_index("ix_jobs_owner_created", "jobs", ["organization_id", "created_at", "id"])
    finished = sa.text("finished_at IS NOT NULL")
    op.create_index("ix_jobs_finished_at", "jobs", ["finished_at"], postgresql_where=finished)


def downgrade() -> None:
    op.drop_table("job_schedules")
    op.drop_table("job_items")
    for name in ("finished_at", "owner_created", "kind_created", "open"):
        op.drop_index(f"ix_jobs_{name}", table_name="jobs")
    op.drop_index("uq_jobs_open_key", table_name="jobs")
    op.execute("UPDATE jobs SET state = 'failed' WHERE state IN ('queued', 'running')")
    op.create_index("uq_jobs_open_kind", "jobs", ["kind"], unique=True, postgresql_where=_OPEN)
    for name in ("cancel_requested_at", "announced_at", "params", "open_key"):
        op.drop_column("jobs", name)
