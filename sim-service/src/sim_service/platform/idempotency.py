"""Idempotency-Key for requests that ask the carrier, where no transaction may stay open meanwhile."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import BadRequest
from fleet_kit.idempotency import Idempotency, fingerprint


@dataclass(frozen=True, slots=True)
class IdempotencyContext:
    """The request's key, None where it has none, and what tells the request from others."""

    key: str | None = None
    fingerprint: str = ""

    def within(self, session: AsyncSession) -> Idempotency:
        """The key in a transaction of the service's own."""
        return Idempotency(session, self.key, self.fingerprint)

    def require_key(self) -> None:
        if self.key is None:
            raise BadRequest("send an Idempotency-Key: this costs money", code="IDEMPOTENCY_KEY_REQUIRED")


async def _context(
    request: Request, idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None
) -> IdempotencyContext:
    return IdempotencyContext(idempotency_key, await fingerprint(request))


RequestIdempotency = Annotated[IdempotencyContext, Depends(_context)]
