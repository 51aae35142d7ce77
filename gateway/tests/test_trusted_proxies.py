"""A TLS terminator in front of the gateway tells whose requests it passes on; nobody else is believed."""

import httpx
import pytest

from .conftest import MakeGateway

CLIENT = "203.0.113.7"


def seen(client: httpx.Client, forwarded: str) -> str:
    """The address that a service hears of."""
    answer = client.get("/api/v1/devices/", headers={"X-Forwarded-For": forwarded})
    return str(answer.json()["headers"]["x-forwarded-for"])


@pytest.mark.parametrize(
    ("trusted", "forwarded", "address"),
    [
        ((), CLIENT, "127.0.0.1"),
        (("192.0.2.0/24",), CLIENT, "127.0.0.1"),
        (("127.0.0.1/32",), CLIENT, CLIENT),
        (("127.0.0.1/32",), f"8.8.8.8, {CLIENT}", CLIENT),  # the first is the client's own invention
        (("127.0.0.1/32", "192.0.2.0/24"), f"{CLIENT}, 192.0.2.9", CLIENT),
        (("127.0.0.0/8", "2001:db8::/32"), "2001:db9::7", "2001:db9::7"),
        (("127.0.0.1/32",), "no address", "127.0.0.1"),
    ],
)
def test_only_trusted_proxies_say_who_the_client_is(
    make_gateway: MakeGateway,
    upstreams: dict[str, str],
    trusted: tuple[str, ...],
    forwarded: str,
    address: str,
) -> None:
    with make_gateway(upstreams, trusted_proxies=trusted) as client:
        assert seen(client, forwarded) == address


def test_behind_a_trusted_proxy_each_client_has_limits_of_its_own(
    make_gateway: MakeGateway, upstreams: dict[str, str]
) -> None:
    """Nobody who guesses passwords locks out those who come through the same proxy."""
    slow = lambda text: text.replace("rate=10r/s", "rate=1r/m")  # noqa: E731 - however slow the machine is
    with make_gateway(upstreams, slow, trusted_proxies=["127.0.0.1/32"]) as client:

        def login(address: str) -> int:
            headers = {"X-Forwarded-For": address}
            return client.post("/api/v1/auth/login", json={}, headers=headers).status_code

        assert 429 in {login("198.51.100.1") for _ in range(40)}
        assert login(CLIENT) == 200
