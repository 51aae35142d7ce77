"""Distinguishes an unavailable Postgres from a wrong statement.

Seen with asyncpg: one that stops or recovers refuses connections with a plain DBAPIError of SQLSTATE 57P03,
which SQLAlchemy does not count as a lost connection.
"""

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

UNAVAILABLE_ERRORS = (DBAPIError, PoolTimeout, OSError, TimeoutError)
"""What may be raised when Postgres is unavailable; `is_unavailable` decides."""

_CLASSES = ("08", "53", "57")
"""SQLSTATE classes: connection exception, insufficient resources, operator intervention (shutdown)."""


def unexpected(error: BaseException) -> BaseException | None:
    """The error, for the traceback of a log line, unless it only says that something is unavailable."""
    return None if is_unavailable(error) else error


def is_unavailable(error: BaseException) -> bool:
    """Whether the same statement may succeed later."""
    if isinstance(error, DBAPIError):
        lost = isinstance(error, InterfaceError | OperationalError) or error.connection_invalidated
        return lost or str(getattr(error.orig, "sqlstate", "")).startswith(_CLASSES)
    return isinstance(error, PoolTimeout | OSError | TimeoutError)
