"""Items of jobs without what only repeated their state."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.drop_column("job_items", "claimed_by")
    op.drop_column("job_items", "attempts")


def downgrade() -> None:
    op.add_column("job_items", sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("job_items", sa.Column("claimed_by", sa.String(length=64), nullable=True))
