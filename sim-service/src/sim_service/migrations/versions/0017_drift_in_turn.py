"""SIMs whose drift is to be checked, by organisation: organisations take turns."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

_ROWS = sa.text("drift_due_at IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_sims_drift_due_by_owner", "sims", ["organization_id", "drift_due_at"], postgresql_where=_ROWS
    )
    op.drop_index("ix_sims_drift_due", "sims")


def downgrade() -> None:
    op.create_index("ix_sims_drift_due", "sims", ["drift_due_at"], postgresql_where=_ROWS)
    op.drop_index("ix_sims_drift_due_by_owner", "sims")
