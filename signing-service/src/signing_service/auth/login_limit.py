"""Limits on failed logins. Successful ones cost nothing."""

from dataclasses import dataclass

from limits import RateLimitItemPerHour, RateLimitItemPerMinute, RateLimitItemPerMonth

from fleet_kit.errors import Unauthorized
from signing_service.rate_limiter import Allowance, Headers, LimitReached, RateLimiter


class WrongCredentials(Unauthorized):
    """No such account or another password; which of the two is not told."""

    def __init__(self, limit: Headers) -> None:
        super().__init__("e-mail address or password is wrong", code="INVALID_CREDENTIALS")
        self._limit = limit

    @property
    def headers(self) -> dict[str, str]:
        """The challenge, and what is left of the allowance."""
        return {**super().headers, **self._limit}


class TooManyFailures(LimitReached):
    """The account has to wait, for this address; or the address, for every account."""

    def __init__(self, allowance: Allowance) -> None:
        super().__init__("too many failed logins, wait before the next", "LOGIN_RATE_LIMITED", allowance)


GUESSING = 5
"""An address with so many failed logins within an hour is one that guesses, or an office with a bad day."""


@dataclass(frozen=True)
class Standing:
    """Where a login stands: headers that tell what is left, and whether it may queue with the users."""

    headers: Headers
    trusted: bool


class LoginLimit:
    """Counts failures by account and address, and by address alone: who guesses tries many accounts.

    An account that has logged in from the address within a month is known there. It does not suffer from what
    else comes from its address, be that an office or a proxy.
    """

    def __init__(self, limiter: RateLimiter, per_account_and_minute: int, per_address_and_hour: int) -> None:
        self._limiter = limiter
        self._account = RateLimitItemPerMinute(per_account_and_minute)
        self._address = RateLimitItemPerHour(per_address_and_hour, namespace="LOGIN_ADDRESS")
        self._known = RateLimitItemPerMonth(1, namespace="LOGIN_KNOWN")

    async def check(self, email: str, address: str) -> Standing:
        """Where a login stands; raises TooManyFailures when nothing is left."""
        of_account = await self._limiter.allowance(self._account, email, address)
        of_address = await self._limiter.allowance(self._address, address)
        if not of_account.remaining:
            raise TooManyFailures(of_account)
        guesses = of_address.used >= GUESSING or not of_address.remaining
        known = guesses and await self._is_known(email, address)
        if not of_address.remaining and not known:
            raise TooManyFailures(of_address)
        return Standing(of_account.headers, trusted=known or not guesses)

    async def succeeded(self, email: str, address: str) -> Headers:
        """Remember where the account is known; raises TooManyFailures if guesses have used the limit up."""
        standing = await self.check(email, address)
        await self._limiter.hit(self._known, email, address)
        return standing.headers

    async def failed(self, email: str, address: str) -> WrongCredentials:
        """Count one failure and return its error; raises TooManyFailures if it was one too many."""
        counted = await self._limiter.hit(self._account, email, address)
        in_time = await self._limiter.hit(self._address, address) or await self._is_known(email, address)
        if not (counted and in_time):
            await self.check(email, address)
        return WrongCredentials((await self._limiter.allowance(self._account, email, address)).headers)

    async def _is_known(self, email: str, address: str) -> bool:
        return (await self._limiter.allowance(self._known, email, address)).used > 0

    async def turned_away(self, address: str) -> None:
        """Count a stranger whose password was not even looked at: that answer tells something, too."""
        await self._limiter.hit(self._address, address)
