"""The gate in front of 1NCE's paths; everything else (control, health, page) passes untouched."""

import asyncio
import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from once_sandbox.faults.effects import spoil, substitute
from once_sandbox.faults.schemas import ActiveRule
from once_sandbox.gate.exchange import BufferedResponse, Watch, hang_up
from once_sandbox.gate.log import Entry
from once_sandbox.gate.refusals import bearer, refusal
from once_sandbox.sandbox import Sandbox
from once_sandbox.timeline import settle

BASE_PATH = "/management-api"
"""The prefix of 1NCE's public address; the sandbox answers with and without it."""


class Gate:
    """Pure ASGI, so that it can also break a connection."""

    def __init__(self, app: ASGIApp, sandbox: Sandbox) -> None:
        self._app = app
        self.sandbox = sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the call or let it through, and remember it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = without_base(scope)
        settle(self.sandbox.world)
        if not scope["path"].startswith(("/v1/", "/v2/", "/oauth/")):
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        self.sandbox.log.arrived(scope["path"])
        rules = self.sandbox.faults.hits(scope["method"], scope["path"])
        watch = Watch(send)
        try:
            await self._faulty(scope, receive, send, (watch, rules))
        finally:
            self._remember(scope, started, watch.status, rules)

    async def _faulty(
        self, scope: Scope, receive: Receive, send: Send, fate: tuple[Watch, list[ActiveRule]]
    ) -> None:
        watch, rules = fate
        for rule in rules:
            if rule.kind == "delay":
                await asyncio.sleep(rule.seconds)
        fault = next((rule for rule in rules if rule.kind != "delay"), None)
        if fault is None:
            await self._answer(scope, receive, watch)
            return
        buffered = BufferedResponse()
        if fault.after:
            await self._answer(scope, receive, buffered.send)
        if fault.kind == "drop":
            await hang_up(send)
        elif fault.kind == "truncate":
            await buffered.pass_on(
                watch, buffered.body[: len(buffered.body) // 2], promised=len(buffered.body) + 1
            )
            await hang_up(send)
        elif (instead := substitute(fault, self.sandbox, scope["path"], _token(scope))) is not None:
            await instead(scope, receive, watch)
        else:
            status = 200 if fault.kind == "empty_200" else None
            await buffered.pass_on(watch, spoil(fault, buffered.body), status=status)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = (scope.get("client") or ("?",))[0]
        refused = refusal(self.sandbox, scope["path"], token=_token(scope), caller=caller)
        await (refused or self._app)(scope, receive, send)

    def _remember(self, scope: Scope, started: float, status: int, rules: list[ActiveRule]) -> None:
        entry = Entry(
            at=self.sandbox.world.clock.now(),
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            status=status,
            milliseconds=(time.monotonic() - started) * 1000,
            fault=",".join(rule.kind for rule in rules) or None,
        )
        self.sandbox.log.add(entry)


def _token(scope: Scope) -> str:
    return bearer(Headers(scope=scope).get("authorization", ""))


def without_base(scope: Scope) -> Scope:
    """The same call without the prefix of 1NCE's public address."""
    path: str = scope["path"]
    if not path.startswith(f"{BASE_PATH}/"):
        return scope
    return {**scope, "path": path.removeprefix(BASE_PATH), "raw_path": None, "once_prefix": BASE_PATH}
