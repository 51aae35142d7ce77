"""Which messages the worker takes next: organisations in turn, of each the longest waiting first."""

from sqlalchemy import text

UNSENT_ROWS = text("look_at IS NOT NULL AND direction = 'mt' AND state IN ('scheduled', 'pending')")
UNDER_WAY_ROWS = text("look_at IS NOT NULL AND direction = 'mt' AND state IN ('sent', 'unknown')")
"""The conditions of the two indexes; the queries repeat them word for word, or Postgres may not use these."""

_NEXT = """
WITH RECURSIVE owners AS (
    (SELECT organization_id FROM sms_messages WHERE {rows} ORDER BY organization_id LIMIT 1)
    UNION ALL
    SELECT following.organization_id FROM owners CROSS JOIN LATERAL (
        SELECT organization_id FROM sms_messages AS message
        WHERE {rows} AND message.organization_id > owners.organization_id
        ORDER BY organization_id LIMIT 1
    ) AS following
), heads AS (
    SELECT head.id, row_number() OVER (PARTITION BY organization_id ORDER BY head.look_at) AS place
    FROM owners CROSS JOIN LATERAL (
        SELECT id, look_at FROM sms_messages AS message
        WHERE {rows} AND message.organization_id = owners.organization_id AND look_at <= now()
        ORDER BY look_at LIMIT :limit + 20
    ) AS head
    WHERE owners.organization_id <> ALL(CAST(:busy AS uuid[]))
), first AS (
    SELECT id, place, random() AS draw FROM heads ORDER BY place, draw LIMIT :limit + 20
)
SELECT message.id FROM first JOIN sms_messages AS message ON message.id = first.id
WHERE {rows} AND look_at <= now()
ORDER BY first.place, first.draw LIMIT :limit
FOR UPDATE OF message SKIP LOCKED
"""
"""Reads a few rows of each organisation, however many it has; some more, as other workers lock the first.

The first of each organisation come in any order: chance shares evenly, and needs no memory between workers.
"""

TO_SEND, TO_FOLLOW = (text(_NEXT.format(rows=rows.text)) for rows in (UNSENT_ROWS, UNDER_WAY_ROWS))
