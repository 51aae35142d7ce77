"""The gate in front of 1NCE's paths; everything else (control, health, page) passes untouched."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from once_sandbox.gate.refusals import bearer, refusal
from once_sandbox.sandbox import Sandbox
from once_sandbox.timeline import settle

BASE_PATH = "/management-api"
"""The prefix of 1NCE's public address; the sandbox answers with and without it."""


class Gate:
    """Pure ASGI, so that it can also break a connection."""

    def __init__(self, app: ASGIApp, sandbox: Sandbox) -> None:
        self._app = app
        self._sandbox = sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the call or let it through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = without_base(scope)
        path = scope["path"]
        settle(self._sandbox.world)
        if not path.startswith(("/v1/", "/v2/", "/oauth/")):
            await self._app(scope, receive, send)
            return
        token = bearer(Headers(scope=scope).get("authorization", ""))
        refused = refusal(self._sandbox, path, token=token, caller=(scope.get("client") or ("?",))[0])
        await (refused or self._app)(scope, receive, send)


def without_base(scope: Scope) -> Scope:
    """The same call without the prefix of 1NCE's public address."""
    path: str = scope["path"]
    if not path.startswith(f"{BASE_PATH}/"):
        return scope
    return {**scope, "path": path.removeprefix(BASE_PATH), "raw_path": None, "once_prefix": BASE_PATH}
