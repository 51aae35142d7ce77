"""What strangers cannot do at the gateway: pretend, wait, fill the log with secrets."""

import contextlib
import re
import select
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.attack

UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def connect(gateway: httpx.Client) -> socket.socket:
    return socket.create_connection((gateway.base_url.host, gateway.base_url.port or 80), timeout=60)


def said_until_the_end(link: socket.socket) -> bytes:
    """What comes until the gateway ends the connection, without a word where time has run out."""
    with link, contextlib.suppress(ConnectionResetError):
        return link.recv(4096)
    return b""


def head(target: str, *headers: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: fleet", *headers, "", ""]).encode()


def statuses_of_many(
    gateway: httpx.Client, headers: Callable[[int], str], number: int = 3000
) -> Counter[str]:
    """Statuses of so many requests sent at once over one connection."""
    requests = b"".join(head("/favicon.svg", headers(n)) for n in range(number - 1))
    with connect(gateway) as link:
        link.sendall(requests + head("/favicon.svg", headers(number - 1), "Connection: close"))
        answer = b""
        while chunk := link.recv(1 << 20):
            answer += chunk
    return Counter(re.findall(r"HTTP/1\.1 (\d{3}) ", answer.decode("latin-1")))


@pytest.mark.parametrize(
    "made_up",
    [
        "Authorization: x{}",
        "Authorization: Bearer x{}",
        "Authorization: Device 1:{}",
        "Authorization: Basic x{}",
        "X-API-Key: iot_key_{}",
        "X-Other: {}",
    ],
)
def test_what_does_not_look_like_a_credential_is_limited_as_none(
    lonely_gateway: httpx.Client, made_up: str
) -> None:
    seen = statuses_of_many(lonely_gateway, made_up.format)

    assert seen["200"] >= 400
    assert seen["429"] > 0


@pytest.mark.parametrize(
    "credential",
    [
        "Authorization: Bearer eyJhbGciOi.eyJzdWIi_x-{}.c2ln",
        "Authorization: Device 6f1b3a52-0000-4000-8000-0000000000ab:dk_A-b_{}",
    ],
)
def test_what_looks_like_a_credential_is_left_to_the_service(
    lonely_gateway: httpx.Client, credential: str
) -> None:
    assert statuses_of_many(lonely_gateway, credential.format) == {"200": 3000}


@pytest.mark.parametrize("host", ["evil.example", "evil.example:81"])
def test_a_redirect_of_a_service_stays_at_the_gateway(gateway: httpx.Client, host: str) -> None:
    answer = gateway.get("/api/v1/devices?status=307", headers={"Host": host})

    assert (answer.status_code, answer.headers["location"]) == (307, "/api/v1/devices/?page=2")


def test_forwarding_headers_of_strangers_reach_no_service(gateway: httpx.Client) -> None:
    names = ("X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "Forwarded")
    pretended = dict.fromkeys((*names, "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP"), "evil")
    seen = gateway.get("/api/v1/devices/", headers=pretended).json()["headers"]

    assert "evil" not in seen.values()
    assert not {name.lower() for name in names} & seen.keys()


def test_only_the_live_feed_is_asked_to_change_the_protocol(gateway: httpx.Client) -> None:
    seen = gateway.get("/api/v1/devices/", headers=dict(line.split(": ") for line in UPGRADE)).json()

    assert "upgrade" not in seen["headers"]
    assert seen["headers"].get("connection", "") != "upgrade"


def test_queries_are_in_no_log_not_even_of_what_failed(lonely_gateway: httpx.Client, tmp_path: Path) -> None:
    for _ in range(60):
        lonely_gateway.post("/api/v1/auth/login?password=hush")
    lonely_gateway.get("/api/v1/devices/?key=hush")
    with connect(lonely_gateway) as link:
        link.sendall(head("/ws/monitoring/?EIO=4&transport=websocket&token=hush", *UPGRADE))
        assert b" 502 " in link.recv(4096)

    written = "".join(file.read_text() for file in tmp_path.glob("*.log"))
    assert written.count('"status":502') > 20
    assert "hush" not in written


@contextlib.contextmanager
def untouched_service() -> Iterator[tuple[str, Callable[[float], bool]]]:
    """An address, and whether anybody has connected to it within so many seconds."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield (
            f"127.0.0.1:{listening.getsockname()[1]}",
            lambda seconds: bool(select.select([listening], [], [], seconds)[0]),
        )


def test_who_sends_a_body_slowly_occupies_no_service(make_gateway: Any) -> None:
    slow = ("Expect: 100-continue", "Content-Length: 100000", "Content-Type: application/json")
    with untouched_service() as (address, is_reached):
        services = dict.fromkeys(("signing", "device", "sim", "monitoring"), address)
        with make_gateway(
            services,
            edit=lambda text: text.replace("client_body_timeout       10s", "client_body_timeout 2s"),
        ) as gateway:
            links = [connect(gateway) for _ in range(50)]
            for link in links:
                link.sendall(head("/api/v1/devices/1/telemetry", *slow, method="POST"))
                assert b"100 Continue" in link.recv(4096)
                link.sendall(b"[")
            assert not is_reached(0)
            for link in links:
                assert not said_until_the_end(link)
            assert not is_reached(0)
            with connect(gateway) as link:
                link.sendall(head("/api/v1/devices/1/telemetry", "Content-Length: 2", method="POST") + b"[]")
                assert is_reached(60)


def test_who_sends_headers_slowly_is_cut_off(make_gateway: Any, upstreams: dict[str, str]) -> None:
    with (
        make_gateway(
            upstreams,
            edit=lambda text: text.replace("client_header_timeout     10s", "client_header_timeout 1s"),
        ) as gateway,
        connect(gateway) as link,
    ):
        link.sendall(head("/ws/monitoring/?EIO=4&transport=websocket", *UPGRADE)[:-2])
        assert not said_until_the_end(link)


def test_live_connections_of_one_address_are_bounded(make_gateway: Any, upstreams: dict[str, str]) -> None:
    def open_one(gateway: httpx.Client) -> tuple[socket.socket, bytes]:
        link = connect(gateway)
        link.sendall(head("/ws/monitoring/?EIO=4&transport=websocket&t=hold", *UPGRADE))
        return link, link.recv(4096)

    with make_gateway(upstreams, edit=lambda text: text.replace("fleet_live 250", "fleet_live 3")) as gateway:
        opened = [open_one(gateway) for _ in range(4)]
        assert [answer.split()[1] for _, answer in opened] == [b"101"] * 3 + [b"429"]
        for link, _ in opened:
            link.close()


@pytest.mark.parametrize(
    ("mine", "other"),
    [
        ("2001:db8:0:7::{}", "2001:db8:0:8::1"),
        ("2001:db8:0:7:1:2:3:{}", "2001:db8:0:6:1:2:3:4"),
        ("2001:db8::{}", "2001:db9::1"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2"),
    ],
)
def test_the_addresses_of_one_subscriber_count_as_one(
    make_gateway: Any, upstreams: dict[str, str], mine: str, other: str
) -> None:
    def behind_a_balancer(text: str) -> str:
        return text.replace("    server_name _;", "set_real_ip_from 127.0.0.1; real_ip_header X-Test-IP;")

    with make_gateway(upstreams, edit=behind_a_balancer) as gateway:
        answers = [
            gateway.post("/api/v1/auth/login", headers={"X-Test-IP": mine.format(n)}).status_code
            for n in range(60)
        ]
        assert set(answers) == {200, 429}
        assert gateway.post("/api/v1/auth/login", headers={"X-Test-IP": other}).status_code == 200
