"""Who gets a live connection at all: decided before Socket.IO hears of it."""

from typing import Any
from urllib.parse import parse_qs

from fleet_kit.client_address import client_address
from fleet_kit.errors import BadRequest, FleetError, error_response
from fleet_kit.middleware import App, Receive, Scope, Send
from fleet_kit.request_id import HEADER, set_request_id
from monitoring_service.live.connection_limit import ConnectionLimit
from monitoring_service.live.guard import Guard

PATH = "/ws/monitoring"
_HEADER = HEADER.lower().encode()
_PARAMETERS = frozenset({"EIO", "transport", "t"})


class UpgradeRequired(FleetError):
    """Plain HTTP where only WebSocket is spoken."""

    status, default_code = 426, "UPGRADE_REQUIRED"

    @property
    def headers(self) -> dict[str, str]:
        """What to upgrade to, as RFC 9110 asks for."""
        return {"Upgrade": "websocket", "Connection": "Upgrade"}


class LiveGate:
    """Puts a guard before each live connection, as many as the limit allows; all else passes."""

    def __init__(self, app: App, limit: ConnectionLimit, *, connect_seconds: float) -> None:
        self._app, self._limit, self._connect_seconds = app, limit, connect_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if not f"{scope.get('path', '')}/".startswith(f"{PATH}/"):
            await self._app(scope, receive, send)
            return
        address = client_address(scope)
        try:
            _check(scope)
            self._limit.enter(address)
        except FleetError as error:
            set_request_id(dict(scope["headers"]).get(_HEADER, b"").decode("latin-1"))
            await error_response(error)(scope, receive, send)
            return
        guard = Guard(scope, receive, send, self._limit, connect_seconds=self._connect_seconds)
        try:
            await self._app(scope, guard.receive, send)
        finally:
            guard.finish()
            self._limit.leave(address)


def _check(scope: Scope) -> None:
    if scope["type"] != "websocket":
        raise UpgradeRequired("this address speaks WebSocket only")
    query: dict[str, Any] = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    if not query.keys() <= _PARAMETERS:
        raise BadRequest(
            "unknown query parameter; a token belongs into the CONNECT packet, as {token}, not here",
            code="UNKNOWN_PARAMETER",
        )
