"""The next rows to work on: of every owner in turn, however many rows one of them has."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

_OWNERS = """
{name} (owner) AS (
    (SELECT {owner} FROM {table} WHERE {rows} ORDER BY {owner} LIMIT 1)
    UNION ALL
    SELECT following.owner FROM {name} CROSS JOIN LATERAL (
        SELECT {owner} AS owner FROM {table} WHERE {rows} AND {owner} > {name}.owner
        ORDER BY {owner} LIMIT 1
    ) AS following
)
"""
_NEXT = """
WITH RECURSIVE {owners}, heads AS (
    SELECT head.key, row_number() OVER (PARTITION BY owners.owner ORDER BY head.since) AS place
    FROM owners CROSS JOIN LATERAL (
        SELECT id AS key, {since} AS since FROM {table}
        WHERE {rows} AND organization_id = owners.owner AND {due}
        ORDER BY {since} LIMIT :limit + 20
    ) AS head
    WHERE owners.owner <> ALL(CAST(:busy AS uuid[]))
), first AS (
    SELECT key, place, random() AS draw FROM heads ORDER BY place, draw LIMIT :limit + 20
)
SELECT {table}.id FROM first JOIN {table} ON {table}.id = first.key
WHERE {rows} AND {due}
ORDER BY first.place, first.draw LIMIT :limit
FOR UPDATE OF {table} SKIP LOCKED
"""


def owners_of(table: str, rows: TextClause, *, owner: str = "organization_id", name: str = "owners") -> str:
    """For WITH RECURSIVE: the table `name`, with one column `owner`, of all who own such rows.

    They are found one by one, each by one look into an index of exactly these rows that begins with the
    owner; so the rows of each cost nothing. Postgres uses such a partial index only where its condition is
    repeated word for word, and needs no statistics to do so, which are never true of a table that fills
    and empties.
    """
    return _OWNERS.format(table=table, rows=rows.text, owner=owner, name=name)


class RowsInTurn:
    """The first row of each owner, then the second of each, and so on; of each the longest waiting first.

    The first ones of all owners come in any order: chance shares evenly, and needs no memory between
    workers. `rows`: the condition of an index on (`organization_id`, `since`), see `owners_of`; `due`: which
    of them are to be taken now; `since`: their order. It reads a few rows of each owner, however many it has;
    some more than are wanted, as other workers lock the first.
    """

    def __init__(self, table: str, rows: TextClause, *, since: str, due: str | None = None) -> None:
        names = {"table": table, "rows": rows.text, "since": since}
        owners = owners_of(table, rows)
        self._query = text(_NEXT.format(**names, owners=owners, due=due or f"{since} <= now()"))

    async def lock(self, session: AsyncSession, limit: int, *, busy: Collection[UUID] = ()) -> Sequence[UUID]:
        """Ids of the next rows, in their order, locked; none of busy owners, nor that others have locked."""
        found = await session.execute(self._query, {"limit": limit, "busy": list(busy)})
        return found.scalars().all()
