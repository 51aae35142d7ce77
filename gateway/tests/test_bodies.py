"""What bodies cost the gateway: of strangers nothing, of others what is bounded."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .test_strangers import connect, head

pytestmark = pytest.mark.attack

SERVICES = ("signing", "device", "sim", "monitoring")
IMPORT, PUSH = "/api/v1/sims/import", "/api/v1/sim/push/streamer"
FALSE = "Authorization: Bearer eyJhbGciOi.eyJzdWIi.c2ln"
REFUSAL = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


@contextlib.contextmanager
def service() -> Iterator[socket.socket]:
    """A service that reads nothing until the test does."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(60)
        yield listening


def gateway_before(make_gateway: Any, listening: socket.socket, **options: Any) -> Any:
    address = f"127.0.0.1:{listening.getsockname()[1]}"
    return make_gateway(dict.fromkeys(SERVICES, address), **options)


def bodies_on_disk(folder: Path) -> bool:
    """Whether nginx has ever kept a body there: it makes the folders of the files when it needs them."""
    return any(True for _ in (folder / "client_body").iterdir())


@pytest.mark.parametrize(("path", "challenge"), [(IMPORT, "Bearer"), (PUSH, 'Basic realm="push"')])
def test_without_a_credential_a_large_body_is_refused_before_it_comes(
    make_gateway: Any, path: str, challenge: str
) -> None:
    with service() as listening, gateway_before(make_gateway, listening) as gateway:
        with connect(gateway) as link:
            link.sendall(head(path, "Content-Length: 4000000", method="POST") + b"x" * 1000)
            answer = link.recv(8192).decode()
        assert answer.startswith("HTTP/1.1 401 ")
        assert f"WWW-Authenticate: {challenge}\r\n" in answer
        assert '{"error":{"code":"UNAUTHORIZED"' in answer


@pytest.mark.parametrize("path", [IMPORT, PUSH])
def test_a_service_refuses_a_false_credential_before_the_body_has_come(
    make_gateway: Any, tmp_path: Path, path: str
) -> None:
    with service() as listening, gateway_before(make_gateway, listening) as gateway, connect(gateway) as link:
        link.sendall(head(path, FALSE, "Content-Length: 4000000", method="POST") + b"x" * 1_000_000)
        behind, _ = listening.accept()
        with behind:
            assert b"Content-Length: 4000000" in behind.recv(65536)
            behind.sendall(REFUSAL)
            assert link.recv(4096).startswith(b"HTTP/1.1 401 ")
        assert not bodies_on_disk(tmp_path)


@pytest.mark.parametrize(("path", "most"), [(IMPORT, 4), (PUSH, 20)])
def test_one_address_sends_few_large_bodies_at_once(make_gateway: Any, path: str, most: int) -> None:
    request = head(path, FALSE, "Content-Length: 1000000", method="POST") + b"x"
    with (
        service() as listening,
        gateway_before(make_gateway, listening) as gateway,
        contextlib.ExitStack() as open_links,
    ):
        for _ in range(most):
            open_links.enter_context(connect(gateway)).sendall(request)
            open_links.enter_context(listening.accept()[0])
        link = open_links.enter_context(connect(gateway))
        link.sendall(request)
        assert link.recv(4096).startswith(b"HTTP/1.1 429 ")


@pytest.mark.parametrize("length", ["Content-Length: 100000", "Transfer-Encoding: chunked"])
def test_one_address_has_few_bodies_on_the_gateways_disk(
    make_gateway: Any, upstreams: dict[str, str], length: str
) -> None:
    def few(text: str) -> str:
        return text.replace("fleet_large_bodies 100", "fleet_large_bodies 3")

    def begin(*headers: str) -> socket.socket:
        link = connect(gateway)
        request = head("/api/v1/devices/1/telemetry", FALSE, *headers, "Expect: 100-continue", method="POST")
        link.sendall(request)
        return link

    with make_gateway(upstreams, edit=few) as gateway:
        links = [begin(length) for _ in range(4)]
        assert sorted(link.recv(4096).split()[1] for link in links) == [b"100"] * 3 + [b"429"]
        small = [begin("Content-Length: 99999") for _ in range(10)]
        assert {link.recv(4096).split()[1] for link in small} == {b"100"}
        for link in links + small:
            link.close()


def test_requests_without_a_credential_that_wait_are_few_for_one_address(
    make_gateway: Any, upstreams: dict[str, str]
) -> None:
    def few(text: str) -> str:
        return text.replace("fleet_anonymous_connections 200", "fleet_anonymous_connections 3")

    with make_gateway(upstreams, edit=few) as gateway, contextlib.ExitStack() as open_links:
        waiting = ("Content-Length: 10", "Expect: 100-continue")
        statuses = []
        for headers in [waiting] * 4 + [(FALSE, *waiting)] * 4:
            link = open_links.enter_context(connect(gateway))
            link.sendall(head("/api/v1/devices/1/telemetry", *headers, method="POST"))
            statuses.append(link.recv(4096).split()[1])
        assert statuses == [b"100"] * 3 + [b"429"] + [b"100"] * 4


def test_strangers_get_the_large_documents_only_so_often(
    make_gateway: Any, upstreams: dict[str, str]
) -> None:
    def slowly(text: str) -> str:
        return text.replace("zone=fleet_documents:1m rate=5r/s", "zone=fleet_documents:1m rate=1r/m")

    with make_gateway(upstreams, edit=slowly) as gateway:
        for name in SERVICES:
            assert gateway.get(f"/api/v1/{name}/openapi.json?a=1").json()["path"] == (
                f"/api/v1/{name}/openapi.json?a=1"
            )
        del gateway.headers["Authorization"]
        statuses = [gateway.get("/api/v1/sim/openapi.json").status_code for _ in range(60)]
        assert statuses.count(200) == 41
        assert set(statuses) == {200, 429}
