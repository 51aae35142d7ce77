"""Labels of SIMs that were given back, which the carrier still shows and the next owner is not to read."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

_HIDE = """
    UPDATE sims SET label_hidden = true, label = ''
    WHERE label <> ''
      AND EXISTS (SELECT 1 FROM sim_releases AS release
                  WHERE release.iccid = sims.iccid AND release.label = sims.label
                    AND release.organization_id IS DISTINCT FROM sims.organization_id)
      AND NOT EXISTS (SELECT 1 FROM sim_actions AS action
                      WHERE action.iccid = sims.iccid AND action.organization_id = sims.organization_id
                        AND action.what = 'label')
"""


def upgrade() -> None:
    hidden = sa.Column[bool]("label_hidden", sa.Boolean(), server_default=sa.false(), nullable=False)
    op.add_column("sims", hidden)
    op.execute(_HIDE)


def downgrade() -> None:
    op.drop_column("sims", "label_hidden")
