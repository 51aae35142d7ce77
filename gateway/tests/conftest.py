"""A real nginx with the fleet's configuration, in front of tiny services that tell what they were asked."""

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import swagger_ui_bundle
from playwright.async_api import Browser

from fleet_infra.gateway import real_ip

from .page_support import Stage, Start

FAKE = Path(__file__).with_name("fake_fleet.py")

GATEWAY = Path(__file__).parents[1]
SERVICES = ("signing", "device", "sim", "monitoring")
MAIN = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
worker_processes 1;
events {{ worker_connections 2048; }}
http {{ include {folder}/fleet.conf; }}
"""


class EchoHandler(BaseHTTPRequestHandler):
    """Answers every request with what arrived; `?status=` and `?sleep=` choose otherwise."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    service = ""

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Upgrade", "").lower() == "websocket":
            return self.upgrade()
        query = dict(pair.split("=") for pair in self.path.partition("?")[2].split("&") if "=" in pair)
        time.sleep(float(query.get("sleep", 0)))
        return self.reply(int(query.get("status", 200)), self.seen(len(body), int(query.get("pad", 0))))

    def seen(self, length: int, pad: int) -> bytes:
        seen: dict[str, object] = {
            "service": self.service,
            "method": self.command,
            "path": self.path,
            "length": length,
        }
        seen["headers"] = {name.lower(): value for name, value in self.headers.items()}
        return json.dumps(seen | {"pad": "x" * pad}).encode()

    def reply(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Request-ID", "from-the-service")
        if 300 <= status < 400:
            self.send_header("Location", f"http://{self.headers['Host']}/api/v1/devices/?page=2")
        if status == 429:
            self.send_header("Retry-After", "77")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def upgrade(self) -> None:
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        accept = hashlib.sha1(key.encode()).digest()
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(accept).decode())
        self.end_headers()
        self.wfile.write(self.path.encode())
        self.close_connection = True
        if "hold" in self.path:
            self.wfile.flush()
            self.rfile.read(1)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer  # noqa: N815

    def log_message(self, *_args: object) -> None:
        """Keep the test output quiet."""


@contextlib.contextmanager
def echo_service(name: str) -> Iterator[str]:
    handler = type(name, (EchoHandler,), {"service": name})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def render(values: dict[str, str]) -> str:
    template = (GATEWAY / "templates" / "fleet.conf.template").read_text(encoding="utf-8")
    return re.sub(r"\$\{([A-Z_]+)\}", lambda found: values[found.group(1)], template)


def swagger_root() -> Path:
    return next((Path(swagger_ui_bundle.__file__).parent / "vendor").glob("swagger-ui-*"))


@contextlib.contextmanager
def nginx(
    folder: Path, upstreams: dict[str, str], edit: Callable[[str], str], trusted_proxies: Sequence[str] = ()
) -> Iterator[httpx.Client]:
    listen = f"127.0.0.1:{unused_port()}"
    values = {f"{name.upper()}_UPSTREAM": address for name, address in upstreams.items()}
    values |= {
        "GATEWAY_LISTEN": listen,
        "WWW_ROOT": str(GATEWAY / "www"),
        "SWAGGER_ROOT": str(swagger_root()),
        "REAL_IP": real_ip(trusted_proxies),
    }
    configuration = render(values | {"RUN_DIR": str(folder)})
    (folder / "fleet.conf").write_text(edit(configuration), encoding="utf-8")
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder), encoding="utf-8")
    folder.chmod(0o755)
    command = ["nginx", "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    if os.geteuid() == 0:
        command += ["-g", "user root;"]
    with (folder / "access.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        with httpx.Client(
            base_url=f"http://{listen}", timeout=20, headers={"Authorization": "Bearer a.b.c"}
        ) as client:
            wait_until_listening(client, process, folder)
            yield client
    finally:
        process.terminate()
        process.wait(10)


def wait_until_listening(client: httpx.Client, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            client.get("/livez")
        except httpx.TransportError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail((folder / "error.log").read_text() + (folder / "access.log").read_text())
            time.sleep(0.02)
        else:
            return


@pytest.fixture(scope="session")
def upstreams() -> Iterator[dict[str, str]]:
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(echo_service(name)) for name in SERVICES}


@pytest.fixture(scope="session")
def access_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gateway") / "access.log"


@pytest.fixture(scope="session")
def gateway(upstreams: dict[str, str], access_log: Path) -> Iterator[httpx.Client]:
    """A client of a gateway whose four services all answer."""
    with nginx(access_log.parent, upstreams, edit=lambda text: text) as client:
        yield client


@pytest.fixture
def lonely_gateway(tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of a gateway with no service behind it."""
    away = {name: f"127.0.0.1:{unused_port()}" for name in SERVICES}
    with nginx(tmp_path, away, edit=lambda text: text) as client:
        yield client


@pytest.fixture
def impatient_gateway(tmp_path: Path, upstreams: dict[str, str]) -> Iterator[httpx.Client]:
    """A client of a gateway that waits one second for its services."""
    shorten = lambda text: text.replace("proxy_read_timeout     60s", "proxy_read_timeout 1s")  # noqa: E731
    with nginx(tmp_path, upstreams, edit=shorten) as client:
        yield client


@pytest.fixture
def named_gateway(tmp_path: Path, upstreams: dict[str, str]) -> Iterator[httpx.Client]:
    """A client of a gateway that believes the address which the client names in X-Real-IP.

    It lets each address log in once a minute, which no machine is too slow to exceed.
    """
    believing = "server_name _;\n    set_real_ip_from 127.0.0.1;\n    real_ip_header X-Real-IP;"

    def edit(text: str) -> str:
        return text.replace("server_name _;", believing).replace("rate=10r/s", "rate=1r/m")

    with nginx(tmp_path, upstreams, edit) as client:
        yield client


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Finds a port that nobody listens on."""
    return unused_port


MakeGateway = Callable[..., contextlib.AbstractContextManager[httpx.Client]]


@pytest.fixture
def make_gateway(tmp_path: Path) -> MakeGateway:
    """Starts a gateway in front of any upstreams, with the configuration as it is or edited."""
    return lambda upstreams, edit=str, **options: nginx(tmp_path, upstreams, edit=edit, **options)


@pytest.fixture
def stage(
    browser: Browser,
    make_gateway: MakeGateway,
    free_port: Callable[[], int],
) -> Start:
    """Opens the page before a fresh fake: `async with stage(devices=30, rate=20) as s`."""

    @contextlib.asynccontextmanager
    async def start(devices: int = 30, rate: int = 40, **options: Any) -> AsyncIterator[Stage]:
        port = free_port()
        command = [sys.executable, str(FAKE), str(port), str(devices), str(rate)]
        process = await asyncio.create_subprocess_exec(*command)
        try:
            await listening(port)
            names = ("signing", "device", "sim", "monitoring")
            with make_gateway(dict.fromkeys(names, f"127.0.0.1:{port}")) as gateway:
                async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as fake:
                    page = await browser.new_page(locale="en-GB", **options)
                    opened = Stage(page, str(gateway.base_url), fake)
                    await page.goto(opened.url)
                    yield opened
                    await page.close()
        finally:
            process.terminate()
            await process.wait()

    return start


async def listening(port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            await asyncio.sleep(0.05)
