"""A limit on requests whose sender is not proved, by address.

The gateway can only see that a request shows something like a credential. Whether that is one is found out
here, so here whoever shows a false one is counted. Who was proved a while ago is let through unasked: an
honest client behind the same address does not pay for its neighbour.
"""

import hashlib
from collections.abc import MutableMapping
from typing import Any

from fleet_kit.allowances import Allowances
from fleet_kit.client_address import came_through_gateway, client_address
from fleet_kit.errors import TooManyRequests, error_response
from fleet_kit.expiring_set import ExpiringSet
from fleet_kit.middleware import App, Receive, Scope, Send

_PROVED = "fleet.proved"
_REMEMBERED_SECONDS = 3600
_MOST_CREDENTIALS = 50_000


def mark_proved(scope: MutableMapping[str, Any]) -> None:
    """Note that the request's credential was checked and is good; what it allows is another question."""
    scope[_PROVED] = True


class UnprovedLimit:
    """Refuses what comes through the gateway without a good credential, beyond a rate for each address.

    `per_second` requests in the long run, `burst` at once. Each process counts for itself: the counting must
    cost less than what it saves, also while somebody sends thousands of requests a second.
    """

    def __init__(self, app: App, *, per_second: float, burst: int) -> None:
        self._app = app
        self._allowances = Allowances[str](per_second, burst)
        self._proved = ExpiringSet[bytes | None](_REMEMBERED_SECONDS, most=_MOST_CREDENTIALS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or not came_through_gateway(scope):  # another service, or the broker
            await self._app(scope, receive, send)
            return
        network = client_address(scope)
        credential = _digest(scope)
        charged = credential not in self._proved
        if charged and self._allowances.take(network) > 0:
            await error_response(_refusal())(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            self._settle(network, credential, proved=_PROVED in scope, charged=charged)

    def _settle(self, network: str, credential: bytes | None, *, proved: bool, charged: bool) -> None:
        if proved and credential is not None:
            self._proved.add(credential)
            if charged:
                self._allowances.give_back(network)
        elif not charged:  # was good once
            self._proved.discard(credential)
            self._allowances.take(network)


def _digest(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return hashlib.blake2b(value, digest_size=16).digest()
    return None


def _refusal() -> TooManyRequests:
    message = "too many requests without a valid credential from this address"
    return TooManyRequests(message, retry_after=1)
