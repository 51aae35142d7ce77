"""How many messages an organisation may send in a month, and how many it has.

Who may send already may send a thousand: a number to be changed by the platform administrator.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    count = sa.Column("sms_per_month", sa.Integer(), server_default=sa.text("0"), nullable=False)
    op.add_column("grants", count)
    op.execute("UPDATE grants SET sms_per_month = 1000 WHERE sms")
    op.create_table(
        "sms_counts",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "month", name=op.f("pk_sms_counts")),
    )
    op.execute(
        "INSERT INTO sms_counts (organization_id, month, used)"
        " SELECT organization_id, date_trunc('month', at AT TIME ZONE 'UTC')::date, sum(parts_total)"
        " FROM sms_messages WHERE direction = 'mt' AND organization_id IS NOT NULL"
        " AND (sent_at IS NOT NULL OR state IN ('scheduled', 'pending', 'unknown'))"
        " AND date_trunc('month', at AT TIME ZONE 'UTC') >= date_trunc('month', now() AT TIME ZONE 'UTC')"
        " GROUP BY 1, 2"
    )


def downgrade() -> None:
    op.drop_table("sms_counts")
    op.drop_column("grants", "sms_per_month")
