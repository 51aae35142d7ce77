"""For whom the carrier is asked: the rate limit is shared evenly between organisations.

The edges (request, job, action) say it once; whatever they start inherits it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from uuid import UUID

ACCOUNT = "account"
"""Whoever works for the whole account has one share, like an organisation."""

_share: ContextVar[str] = ContextVar("carrier_share", default=ACCOUNT)


def current_share() -> str:
    """The name of the share that pays for the present request."""
    return _share.get()


def use_share_of(organization_id: UUID | None) -> Token[str]:
    """From here on, in this task, the carrier is asked for an organisation; None: for the account."""
    return _share.set(str(organization_id or ACCOUNT))


@contextmanager
def share_of(organization_id: UUID | None) -> Iterator[None]:
    """Within the context, the carrier is asked for an organisation; None: for the account."""
    token = use_share_of(organization_id)
    try:
        yield
    finally:
        _share.reset(token)
