"""The order in which SIMs are seen to: changes that somebody waits for first, organisations in turn."""

from sqlalchemy import text

from fleet_kit.rows_in_turn import owners_of
from sim_service.inventory.sims.models import DRIFT_ROWS
from sim_service.lifecycle.actions.models import OPEN_ROWS

_DUE = """
WITH RECURSIVE {owners}, {drift_owners}, heads AS (
    SELECT owners.owner, head.iccid, wanted.priority, head.due_at
    FROM owners CROSS JOIN (VALUES (0), (1)) AS wanted (priority) CROSS JOIN LATERAL (
        SELECT iccid, due_at FROM sim_actions AS action
        WHERE {open} AND action.organization_id = owners.owner
            AND action.priority = wanted.priority AND due_at <= now()
            AND NOT EXISTS (SELECT 1 FROM sim_actions AS other
                WHERE other.iccid = action.iccid AND other.leased_until > now())
        ORDER BY due_at LIMIT :limit
    ) AS head
    UNION ALL
    SELECT drift_owners.owner, head.iccid, 1, head.drift_due_at
    FROM drift_owners CROSS JOIN LATERAL (
        SELECT iccid, drift_due_at FROM sims
        WHERE {drift} AND organization_id = drift_owners.owner AND drift_due_at <= now()
        ORDER BY drift_due_at LIMIT :limit
    ) AS head
), places AS (
    SELECT iccid, priority, row_number() OVER (PARTITION BY owner, priority ORDER BY due_at) AS place
    FROM heads
)
SELECT iccid FROM places ORDER BY {first}, place, random() LIMIT :limit
"""
"""ICCIDs with a change or a drift check that is due; reads a few rows of each organisation.

Drift is checked in the turns of those changes that nobody waits for. The first of each organisation come in
any order: chance shares evenly, and needs no memory between workers.
"""

URGENT_FIRST, BACKGROUND_FIRST = (
    text(
        _DUE.format(
            owners=owners_of("sim_actions", OPEN_ROWS),
            drift_owners=owners_of("sims", DRIFT_ROWS, name="drift_owners"),
            open=OPEN_ROWS.text,
            drift=DRIFT_ROWS.text,
            first=first,
        )
    )
    for first in ("priority", "priority DESC")
)
