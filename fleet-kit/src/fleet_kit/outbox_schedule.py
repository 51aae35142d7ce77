"""Which events of the outbox are sent next: organisations take turns."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

# Owners are found one by one, each by one look into the index, however many events each has. What an
# aggregate has told for another owner before, as a SIM that changed hands has, is sent first.
_NEXT = text(
    """
    WITH RECURSIVE owners (owner) AS (
        (SELECT owner FROM t_outbox WHERE bucket = :bucket AND sent_at IS NULL ORDER BY owner LIMIT 1)
        UNION ALL
        SELECT (
            SELECT following.owner FROM t_outbox AS following
            WHERE following.bucket = :bucket AND following.sent_at IS NULL
                AND following.owner > owners.owner
            ORDER BY following.owner LIMIT 1
        )
        FROM owners WHERE owners.owner IS NOT NULL
    )
    SELECT chosen.id, chosen.event_id, chosen.type, chosen.aggregate, chosen.body, chosen.request_id
    FROM owners CROSS JOIN LATERAL (
        SELECT * FROM t_outbox AS waiting
        WHERE waiting.bucket = :bucket AND waiting.sent_at IS NULL AND waiting.owner = owners.owner
        ORDER BY waiting.id
        LIMIT (SELECT greatest(:most / count(owner), 1) FROM owners)
    ) AS chosen
    WHERE (
        SELECT earlier.id FROM t_outbox AS earlier
        WHERE earlier.aggregate = chosen.aggregate AND earlier.sent_at IS NULL AND earlier.id < chosen.id
            AND earlier.owner <> chosen.owner
        LIMIT 1
    ) IS NULL
    ORDER BY chosen.id LIMIT :most
    """
)


async def next_events(connection: AsyncConnection, bucket: int, most: int) -> Sequence[Row[Any]]:
    """The oldest unsent events of every organisation of the bucket, of each as many, in the order of ids."""
    return (await connection.execute(_NEXT, {"bucket": bucket, "most": most})).all()
