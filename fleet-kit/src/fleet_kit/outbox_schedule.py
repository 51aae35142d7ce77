"""Which events of the outbox are sent next: organisations take turns."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from fleet_kit.rows_in_turn import owners_of

# Owners are found one by one, each by one look into the index, however many events each has. What an
# aggregate has told for another owner before, as a SIM that changed hands has, is sent first.
_OWNERS = owners_of("t_outbox", text("bucket = :bucket AND sent_at IS NULL"), owner="owner")
_NEXT = text(
    f"""
    WITH RECURSIVE {_OWNERS}
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
    """  # noqa: S608 - made of our own names
)


async def next_events(connection: AsyncConnection, bucket: int, most: int) -> Sequence[Row[Any]]:
    """The oldest unsent events of every organisation of the bucket, of each as many, in the order of ids."""
    return (await connection.execute(_NEXT, {"bucket": bucket, "most": most})).all()
