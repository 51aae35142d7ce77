"""How often one user may change what its live connections are sent."""

import asyncio
from uuid import UUID

from fleet_kit.allowances import Allowances
from fleet_kit.errors import TooManyRequests

_PAUSE_SECONDS = 1.0
"""Who asks too often waits before the answer: a connection is not read meanwhile."""


class SubscribeRate:
    """One allowance for each user, over all connections to this process."""

    def __init__(self, per_second: float, burst: int) -> None:
        self._allowances = Allowances[UUID](per_second, burst)

    async def take(self, user_id: UUID) -> None:
        """Count a subscription, a moment later where there were many; raises TooManyRequests."""
        missing = self._allowances.take(user_id)
        if missing:
            await asyncio.sleep(min(missing, _PAUSE_SECONDS))
            missing = self._allowances.take(user_id)
        if missing:
            raise TooManyRequests(
                f"too many subscriptions of one user; come again in {missing:.0f} s",
                code="TOO_MANY_SUBSCRIPTIONS",
            )
