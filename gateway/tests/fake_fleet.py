"""The services as the live page sees them, in one process: `python fake_fleet.py PORT DEVICES RATE`.

Tests steer it over `/test/…`: drop all live connections, skip readings meanwhile (a gap), change a device, …
"""

import asyncio
import math
import random
import sys
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import socketio
from aiohttp import web

PORT, DEVICES, RATE = (int(argument) for argument in sys.argv[1:4])
TYPES = ["tracker", "meter", "sensor", "router"]


def stamp(moment: datetime | None = None) -> str:
    return (moment or datetime.now(UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def make_device(number: int) -> dict[str, Any]:
    kind = TYPES[number % len(TYPES)]
    status = "never_seen" if number % 10 == 9 else "offline" if number % 10 == 8 else "online"
    name = f"{kind}-{number:04d}"
    return {"id": str(uuid.UUID(int=number + 1)), "name": name, "type": kind, "status": status}


def metrics_of(number: int, moment: float) -> dict[str, float]:
    phase = number * 0.7 + moment / 90
    return {
        "temperature": round(21 + 6 * math.sin(phase) + random.uniform(-0.2, 0.2), 2),
        "battery_percent": round(60 + 35 * math.sin(phase / 9), 1),
        "signal_dbm": round(-85 + 12 * math.sin(phase / 2)),
        "data_bytes": round(900 + 800 * math.sin(phase / 3)),
        "latitude": round(50.9 + number / 1000, 5),
    }


class Fleet:
    """State of the fake, and its answers."""

    def __init__(self) -> None:
        self.devices = [make_device(number) for number in range(DEVICES)]
        self.live = socketio.AsyncServer(
            async_mode="aiohttp", transports=["websocket"], cors_allowed_origins=[]
        )
        self.log: list[dict[str, Any]] = []
        self.cursor = 0
        self.refreshes = 0
        self.token = "token-0"
        self.expires_in = 1800
        self.muted = False
        self.connections: set[str] = set()
        self.live.on("connect", self.connected)
        self.live.on("disconnect", self.disconnected)
        self.live.on("subscribe", self.subscribe)

    async def connected(self, sid: str, _environ: Any, auth: Any) -> None:
        if (auth or {}).get("token") != self.token:
            raise socketio.exceptions.ConnectionRefusedError("TOKEN_INVALID")
        self.connections.add(sid)

    async def disconnected(self, sid: str, *_reason: Any) -> None:
        self.connections.discard(sid)

    async def subscribe(self, sid: str, data: Any) -> dict[str, Any]:
        since = data.get("since")
        await self.live.enter_room(sid, "all")
        if since is not None:
            missed = [item for item in self.log if item["cursor"] > int(since)]
            if (missed and missed[0]["cursor"] > int(since) + 1) or (not missed and self.cursor > int(since)):
                await self.live.emit("gap", {"since": since}, to=sid)
            if missed:
                await self.live.emit("telemetry", missed, to=sid)
        return {"ok": True, "cursor": self.cursor}

    async def report(self) -> None:
        """Readings of RATE devices a second, in four portions."""
        speaking = [number for number in range(DEVICES) if number % 10 < 8]
        while True:
            await asyncio.sleep(0.25)
            chosen = random.sample(speaking, min(len(speaking), max(1, RATE // 4)))
            if not self.muted:
                await self.tell(chosen)

    async def tell(self, numbers: list[int]) -> None:
        items = []
        for number in numbers:
            self.cursor += 1
            metrics = metrics_of(number, datetime.now(UTC).timestamp())
            entry = {"id": str(self.cursor), "device_id": self.devices[number]["id"], "ts": stamp()}
            items.append(entry | {"metrics": metrics, "cursor": self.cursor})
        self.log = (self.log + items)[-5000:]
        await self.live.emit("telemetry", items, room="all")

    async def drop(self) -> None:
        for sid in list(self.connections):
            await self.live.disconnect(sid)

    async def login(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body["password"] != "right":
            return problem(401, "INVALID_CREDENTIALS", "E-mail or password is wrong.")
        return self.tokens()

    async def refresh(self, request: web.Request) -> web.Response:
        if (await request.json())["refresh_token"] != f"rt_{self.refreshes}":
            return problem(401, "TOKEN_INVALID", "This session is over.")
        self.refreshes += 1
        self.token = f"token-{self.refreshes}"
        return self.tokens()

    def tokens(self) -> web.Response:
        answer = {"access_token": self.token, "refresh_token": f"rt_{self.refreshes}", "token_type": "bearer"}
        return web.json_response(answer | {"expires_in": self.expires_in})

    @web.middleware
    async def guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        closed = request.path.startswith(("/api/v1/devices", "/api/v1/monitoring"))
        if closed and request.headers.get("Authorization") != f"Bearer {self.token}":
            return problem(401, "TOKEN_INVALID", "Log in again.")
        answer: web.StreamResponse = await handler(request)
        return answer

    async def list_devices(self, request: web.Request) -> web.Response:
        return paged(request, self.devices)

    async def latest(self, request: web.Request) -> web.Response:
        now = datetime.now(UTC)
        known = [
            {
                "device_id": d["id"],
                "ts": stamp(now - timedelta(minutes=3)),
                "metrics": metrics_of(n, now.timestamp()),
            }
            for n, d in enumerate(self.devices)
            if d["status"] != "never_seen"
        ]
        return paged(request, known)

    async def data(self, request: web.Request) -> web.Response:
        number = uuid.UUID(request.match_info["id"]).int - 1
        start = datetime.fromisoformat(request.query["from"])
        if "interval" not in request.query or number % 10 == 9:
            return web.json_response({"items": [], "next_cursor": None})
        step = int(request.query["interval"].rstrip("s"))
        end = datetime.fromisoformat(request.query["to"])
        items = []
        while start < end:
            moment = start.timestamp()
            items.append({"ts": stamp(start), "metrics": metrics_of(number, moment), "count": step})
            start += timedelta(seconds=step)
        return web.json_response({"items": items[: int(request.query.get("page_size", 100))]})

    async def stats(self, _request: web.Request) -> web.Response:
        online = sum(d["status"] == "online" for d in self.devices)
        values = {"devices": DEVICES, "online": online, "readings_total": 1234567 + self.cursor}
        return web.json_response(values | {"readings_last_hour": 45678, "alerts_open": 2})

    async def steer(self, request: web.Request) -> web.Response:
        match request.match_info["what"]:
            case "drop":
                await self.drop()
            case "mute":
                self.muted = True
            case "unmute":
                self.muted = False
            case "skip":
                muted, self.muted = self.muted, True  # nobody may hear the new numbers before the drop
                self.cursor += 1000
                self.log.clear()
                await self.drop()
                self.muted = muted
            case "revoke":
                self.token = "somebody else's"
                self.refreshes += 100
            case "expire":
                self.token = "expired"
            case "short":
                self.expires_in = 20
            case "status":
                body = await request.json()
                self.devices[body["number"]]["status"] = body["status"]
                data = {"id": self.devices[body["number"]]["id"], "status": body["status"]}
                await self.live.emit("device", {"type": "device.status_changed", "data": data}, room="all")
            case "delete":
                gone = self.devices.pop((await request.json())["number"])
                data = {"id": gone["id"], "version": 2}
                await self.live.emit("device", {"type": "device.deleted", "data": data}, room="all")
            case "add":
                self.devices.append(make_device(len(self.devices)) | await request.json())
                await self.tell([len(self.devices) - 1])
        return web.json_response({"connections": len(self.connections), "refreshes": self.refreshes})


def problem(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message, "details": {}}}, status=status)


def paged(request: web.Request, items: list[dict[str, Any]]) -> web.Response:
    start, size = int(request.query.get("cursor", 0)), int(request.query.get("page_size", 50))
    more = str(start + size) if start + size < len(items) else None
    return web.json_response({"items": items[start : start + size], "next_cursor": more})


async def main() -> None:
    fleet = Fleet()
    app = web.Application(middlewares=[fleet.guard])
    fleet.live.attach(app, socketio_path="/ws/monitoring")
    api = "/api/v1"
    app.add_routes(
        [
            web.post(f"{api}/auth/login", fleet.login),
            web.post(f"{api}/auth/refresh", fleet.refresh),
            web.post(f"{api}/auth/logout", lambda _: asyncio.sleep(0, web.Response(status=204))),
            web.get(f"{api}/devices/", fleet.list_devices),
            web.get(f"{api}/monitoring/latest", fleet.latest),
            web.get(f"{api}/monitoring/stats", fleet.stats),
            web.get(f"{api}/monitoring/data/{{id}}", fleet.data),
            web.post("/test/{what}", fleet.steer),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", PORT).start()
    await fleet.report()


asyncio.run(main())
