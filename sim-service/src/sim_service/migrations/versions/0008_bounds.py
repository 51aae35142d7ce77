"""Bounds of imports, jobs and changes: stored files, limits of organisations, whose turn it is."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"

_OPEN_ACTIONS = sa.text("state IN ('pending', 'sent')")


def upgrade() -> None:
    op.create_table(
        "sim_imports",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("report", postgresql.JSONB(), nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_sim_imports_job_id_jobs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_sim_imports")),
    )
    op.create_index(
        "ix_sim_imports_kept",
        "sim_imports",
        ["organization_id"],
        postgresql_where=sa.text("content IS NOT NULL OR report IS NOT NULL"),
    )
    op.create_table(
        "t_organization_limits",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("used", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("maximum", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "name", name=op.f("pk_t_organization_limits")),
    )
    op.execute(
        "INSERT INTO t_organization_limits (organization_id, name, used)"
        " SELECT organization_id, 'jobs', count(*) FROM jobs"
        " WHERE organization_id IS NOT NULL GROUP BY organization_id"
        " UNION ALL SELECT organization_id, 'job_items', coalesce(sum(total), 0) FROM jobs"
        " WHERE organization_id IS NOT NULL AND kind = 'bulk' GROUP BY organization_id"
    )
    op.create_index(
        "ix_sim_actions_due_by_owner",
        "sim_actions",
        ["organization_id", "priority", "due_at"],
        postgresql_where=_OPEN_ACTIONS,
    )
    op.drop_index("ix_sim_actions_due", "sim_actions")


def downgrade() -> None:
    due = ["priority", "due_at"]
    op.create_index("ix_sim_actions_due", "sim_actions", due, postgresql_where=_OPEN_ACTIONS)
    op.drop_index("ix_sim_actions_due_by_owner", "sim_actions")
    op.drop_table("t_organization_limits")
    op.drop_table("sim_imports")
