from collections.abc import Iterator

import httpx
import pytest

from fleet_kit.errors import Unavailable
from fleet_kit.http_client import ServiceClient, open_http


def client(answers: Iterator[int | Exception]) -> ServiceClient:
    def answer(_: httpx.Request) -> httpx.Response:
        following = next(answers)
        if isinstance(following, Exception):
            raise following
        return httpx.Response(following)

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return ServiceClient(http, "http://other", "other-service")


async def test_a_safe_call_is_repeated_until_it_succeeds() -> None:
    response = await client(iter([503, httpx.ConnectError("away"), 200])).request("GET", "/x")
    assert response.status_code == 200


async def test_a_call_that_changes_something_is_never_repeated() -> None:
    answers = iter([503, 200])
    with pytest.raises(Unavailable):
        await client(answers).request("POST", "/x")
    assert next(answers) == 200


async def test_an_answer_below_500_is_the_callers_to_read() -> None:
    assert (await client(iter([404])).request("GET", "/x")).status_code == 404


async def test_a_dead_service_is_not_asked_again_and_again() -> None:
    calls = []

    def failing() -> Iterator[int]:
        while True:
            calls.append(1)
            yield 503

    service = client(failing())
    for _ in range(10):
        with pytest.raises(Unavailable):
            await service.request("GET", "/x")
    assert len(calls) < 10


async def test_the_shared_client_ignores_proxies_of_the_environment() -> None:
    async with open_http() as http:
        assert not http.trust_env
