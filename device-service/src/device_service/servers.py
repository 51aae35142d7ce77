"""Telling a server that is away from a statement that is wrong."""

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

AWAY = (DBAPIError, PoolTimeout, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What may be raised when Postgres is away; `is_away` decides."""

_CLASSES = ("08", "53", "57")
"""SQLSTATE classes: connection exception, insufficient resources, operator intervention (shutdown)."""


def is_away(error: BaseException) -> bool:
    """Whether the same statement may succeed later."""
    if isinstance(error, DBAPIError):
        wrapped = isinstance(error, InterfaceError | OperationalError) or error.connection_invalidated
        return wrapped or _state(error.orig).startswith(_CLASSES)
    if isinstance(error, asyncpg.PostgresError):
        return _state(error).startswith(_CLASSES)
    return isinstance(error, PoolTimeout | OSError | TimeoutError | asyncpg.InterfaceError)


def _state(error: BaseException | None) -> str:
    return str(getattr(error, "sqlstate", None) or "")
