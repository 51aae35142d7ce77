"""The order in which changes are sent: those that somebody waits for first, organisations in turn."""

from sqlalchemy import text

DUE = text("""
WITH RECURSIVE owners AS (
    (SELECT organization_id FROM sim_actions WHERE state IN ('pending', 'sent')
     ORDER BY organization_id LIMIT 1)
    UNION ALL
    SELECT following.organization_id FROM owners CROSS JOIN LATERAL (
        SELECT organization_id FROM sim_actions
        WHERE state IN ('pending', 'sent') AND organization_id > owners.organization_id
        ORDER BY organization_id LIMIT 1
    ) AS following
), heads AS (
    SELECT head.iccid, wanted.priority,
        row_number() OVER (PARTITION BY organization_id, wanted.priority ORDER BY head.due_at) AS place
    FROM owners CROSS JOIN (VALUES (0), (1)) AS wanted (priority) CROSS JOIN LATERAL (
        SELECT iccid, due_at FROM sim_actions AS action
        WHERE state IN ('pending', 'sent') AND action.organization_id = owners.organization_id
            AND action.priority = wanted.priority AND due_at <= now()
            AND NOT EXISTS (SELECT 1 FROM sim_actions AS other
                WHERE other.iccid = action.iccid AND other.leased_until > now())
        ORDER BY due_at LIMIT :limit
    ) AS head
)
SELECT iccid FROM heads ORDER BY priority, place, random() LIMIT :limit
""")
"""ICCIDs with something to do now; reads a few rows of each organisation, however many it has.

The first of each organisation come in any order: chance shares evenly, and needs no memory between workers.
"""
