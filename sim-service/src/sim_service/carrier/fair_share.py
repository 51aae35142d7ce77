"""For whom the carrier is asked: the rate limit is shared evenly between organisations.

The edges (request, job, action) say it once; whatever they start inherits it.
"""

import asyncio
from collections import Counter
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


class Queues:
    """Queues by name, each as long as somebody is in it; first come, first served."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._members: Counter[str] = Counter()

    @contextmanager
    def member(self, queue: str) -> Iterator[asyncio.Lock]:
        """The lock in which a member of the queue waits."""
        self._members[queue] += 1
        try:
            yield self._locks.setdefault(queue, asyncio.Lock())
        finally:
            self._members[queue] -= 1
            if not self._members[queue]:
                del self._members[queue], self._locks[queue]
