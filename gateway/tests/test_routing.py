"""Which request reaches which service, and what it carries."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from fleet_kit.testing import eventually

ROUTES = {
    "signing": ["auth/login", "auth/jwks.json", "users/", "users/verify-token", "organizations", "signing/x"],
    "device": ["devices/", "devices/7/telemetry", "device/openapi.json"],
    "sim": [
        *("sims", "sims/89/usage", "topups", "topup-policies", "orders", "products"),
        *("support-tickets", "jobs/1", "sim/x"),
    ],
    "monitoring": ["monitoring/data", "monitoring/stats", "monitoring/openapi.json"],
}  # fmt: skip
HIDDEN = [
    "/internal/fleet-health",
    "/internal/tokens/check",
    "/metrics",
    "/api/v1/metrics",
    "/api/v1/unknown",
    "/api/v1/devicesX",
    "/api/v1/devices/../../../internal/tokens/check",
    "/api/v1/devices/%2e%2e/%2e%2e/%2e%2e/metrics",
    "/internal/tokens/%2e%2e/%2e%2e/api/v1/devices/",
    "/internal/x/../../api/v1/devices/",
    "/api/v1/devices/..%2f..%2f..%2fmetrics",
    "//internal//tokens/check",
    "/api/v1//devices/",
    "/.git/config",
    "/../../etc/passwd",
]


def raw(client: httpx.Client, target: str, *headers: str) -> bytes:
    """Send a request whose target no client library may tidy up; return all that comes back."""
    with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=10) as link:
        lines = [f"GET {target} HTTP/1.1", "Host: fleet", *(headers or ("Connection: close",))]
        link.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = b""
        while chunk := link.recv(65536):
            answer += chunk
    return answer


@pytest.mark.parametrize(
    ("service", "path"), [(name, path) for name, paths in ROUTES.items() for path in paths]
)
def test_a_public_path_reaches_its_service_unchanged(gateway: httpx.Client, service: str, path: str) -> None:
    answer = gateway.get(f"/api/v1/{path}?page=2&q=a%2Fb").json()

    assert (answer["service"], answer["path"]) == (service, f"/api/v1/{path}?page=2&q=a%2Fb")


@pytest.mark.parametrize("target", HIDDEN)
def test_nothing_internal_is_reachable_by_any_spelling(gateway: httpx.Client, target: str) -> None:
    head, _, body = raw(gateway, target).partition(b"\r\n\r\n")

    assert head.split()[1] in {b"404", b"400"}
    assert json.loads(body)["error"]["code"] in {"NOT_FOUND", "BAD_REQUEST"}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_methods_and_bodies_pass_through(gateway: httpx.Client, method: str) -> None:
    answer = gateway.request(method, "/api/v1/devices/1", content=b"x" * 1000).json()

    assert (answer["method"], answer["length"]) == (method, 1000)


def test_the_health_of_the_fleet_is_asked_of_monitoring(gateway: httpx.Client) -> None:
    answer = gateway.get("/health").json()

    assert (answer["service"], answer["path"]) == ("monitoring", "/internal/fleet-health")


def test_the_documentation_of_one_service_is_a_view_of_the_merged_page(gateway: httpx.Client) -> None:
    answer = gateway.get("/api/v1/sim/docs")

    assert (answer.status_code, answer.headers["location"]) == (302, "/docs/?urls.primaryName=sim")


def test_a_sane_request_id_is_kept_and_passed_on(gateway: httpx.Client) -> None:
    answer = gateway.get("/api/v1/devices/", headers={"X-Request-ID": "test-0123456789"})

    assert answer.headers.get_list("x-request-id") == ["test-0123456789"]
    assert answer.json()["headers"]["x-request-id"] == "test-0123456789"


@pytest.mark.parametrize("unsafe", ["a" * 129, 'quote"and{brace}', "new line here"])
def test_any_other_request_id_is_replaced(gateway: httpx.Client, unsafe: str) -> None:
    answer = gateway.get("/api/v1/devices/", headers={"X-Request-ID": unsafe})

    assert len(answer.headers["x-request-id"]) == 32
    assert answer.json()["headers"]["x-request-id"] == answer.headers["x-request-id"]


def test_a_client_cannot_pretend_another_address(gateway: httpx.Client) -> None:
    seen = gateway.get(
        "/api/v1/devices/", headers={"X-Forwarded-For": "8.8.8.8", "X-Real-IP": "8.8.8.8"}
    ).json()

    assert (seen["headers"]["x-forwarded-for"], seen["headers"]["x-real-ip"]) == ("127.0.0.1", "127.0.0.1")


def test_the_live_feed_is_upgraded(gateway: httpx.Client) -> None:
    answer = raw(
        gateway,
        "/ws/monitoring/?EIO=4&transport=websocket",
        "Connection: keep-alive, Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )

    assert answer.startswith(b"HTTP/1.1 101 ")
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer
    assert answer.endswith(b"/ws/monitoring/?EIO=4&transport=websocket")


def test_the_live_feed_without_upgrade_says_what_is_missing(gateway: httpx.Client) -> None:
    answer = gateway.get("/ws/monitoring/?EIO=4&transport=polling")

    assert (answer.status_code, answer.json()["error"]["code"]) == (426, "UPGRADE_REQUIRED")


async def test_the_log_is_json_and_holds_no_secret(gateway: httpx.Client, access_log: Path) -> None:
    secret = {"Authorization": "Bearer hush-token", "X-API-Key": "iot_key_hush"}
    headers = secret | {"X-Request-ID": "logged-request"}
    await asyncio.to_thread(gateway.get, "/api/v1/devices/?token=hush-query", headers=headers)

    async def written() -> list[dict[str, Any]]:
        return [line for line in logged(access_log) if line["request_id"] == "logged-request"]

    [entry] = await eventually(written)  # nginx writes it after the answer
    assert (entry["path"], entry["status"], entry["upstream"]) == ("/api/v1/devices/", 200, "device-service")
    assert not any("hush" in str(line) for line in logged(access_log))


def logged(access_log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in access_log.read_text().splitlines() if line.startswith("{")]


@pytest.mark.parametrize("path", ["/", "/api/v1/devices/"])
def test_a_transfer_encoding_that_is_not_known_gets_the_one_error_shape(
    gateway: httpx.Client, path: str
) -> None:
    answer = raw(gateway, path, "Transfer-Encoding: gzip", "Connection: close")

    assert answer.startswith(b"HTTP/1.1 501 ")
    assert b'{"error":{"code":"NOT_IMPLEMENTED",' in answer
