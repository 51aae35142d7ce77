import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from fleet_kit.availability import is_unavailable


def refused_with(state: str) -> DBAPIError:
    cause = type("PostgresError", (Exception,), {"sqlstate": state})()
    return DBAPIError("statement", {}, cause)


@pytest.mark.parametrize(
    "error",
    [
        refused_with("57P03"),  # starting up, shutting down or recovering
        refused_with("57P01"),
        refused_with("53300"),
        refused_with("08006"),
        OperationalError("statement", {}, Exception()),
        DBAPIError("statement", {}, Exception(), connection_invalidated=True),
        PoolTimeout(),
        ConnectionRefusedError(),
        TimeoutError(),
    ],
)
def test_away(error: Exception) -> None:
    assert is_unavailable(error)


@pytest.mark.parametrize(
    "error",
    [refused_with("22P02"), refused_with("40P01"), IntegrityError("s", {}, Exception()), ValueError()],
)
def test_not_away(error: Exception) -> None:
    assert not is_unavailable(error)
