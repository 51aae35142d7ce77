"""A limit on what strangers may register from one address."""

from limits import RateLimitItemPerDay

from signing_service.rate_limiter import LimitReached, RateLimiter


class RegistrationLimit:
    """Counts attempts by address, also those that fail: the answer EMAIL_TAKEN tells who has an account."""

    def __init__(self, limiter: RateLimiter, attempts_per_day: int) -> None:
        self._limiter = limiter
        self._item = (
            RateLimitItemPerDay(attempts_per_day, namespace="REGISTRATION") if attempts_per_day else None
        )

    async def count(self, address: str) -> None:
        """Count one attempt; raises LimitReached if it was one too many."""
        if self._item is not None and not await self._limiter.hit(self._item, address):
            allowance = await self._limiter.allowance(self._item, address)
            raise LimitReached(
                "too many registrations from this address, wait before the next",
                "REGISTRATION_RATE_LIMITED",
                allowance,
            )
