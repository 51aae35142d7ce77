"""The client under faults: what is retried, what never is, and what callers are told."""

import asyncio
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from fleet_kit.errors import FleetError
from fleet_kit.testing import eventually
from sim_service.carrier.breaker import Breaker, BreakerOpen
from sim_service.carrier.errors import (
    CarrierBadAnswer,
    CarrierCredentialsRejected,
    CarrierOutcomeUnknown,
    CarrierRateLimited,
    CarrierUnavailable,
)
from sim_service.carrier.models import Priority
from sim_service.carrier.once.operations import LIST_ORDERS, Operation
from sim_service.carrier.rate_limiter import LocalReservationStore, RateLimiter

from ..carrier_support import (
    ICCID,
    NEW_TOKEN,
    OLD_TOKEN,
    SHORT_TIME_BUDGETS,
    Answer,
    Script,
    carrier,
    html,
    ok,
    sim,
    time_budgets,
    token,
    token_source,
    transport,
    truncated,
)

PEOPLE, BACKGROUND = Priority.INTERACTIVE, Priority.BACKGROUND
ORDER = Operation("top_up", "POST", "/sims/{iccid}/topup", ("v2", "v1"), repeatable=False)
FAULTS: list[Answer] = [
    html(503),
    httpx.Response(500, json={"error_code": 1000, "message": "Internal Server Error"}),
    httpx.Response(502),
    httpx.Response(504),
    truncated(),
    httpx.ReadTimeout("slow"),
    httpx.RemoteProtocolError("peer closed connection"),
    httpx.ReadError("reset"),
    httpx.ConnectError("refused"),
]


def named(answer: Answer) -> str:
    return str(answer.status_code) if isinstance(answer, httpx.Response) else type(answer).__name__


@pytest.mark.parametrize("fault", FAULTS, ids=named)
async def test_a_read_survives_one_fault(redis: Redis, fault: Answer) -> None:
    script = Script([fault, ok(sim())])
    assert (await carrier(script, redis).get_sim(ICCID, priority=PEOPLE)).iccid == ICCID
    assert len(script.requests) == 2


@pytest.mark.parametrize("fault", FAULTS, ids=named)
async def test_a_lasting_fault_is_told_in_our_words(redis: Redis, fault: Answer) -> None:
    script = Script([fault])
    with pytest.raises((CarrierUnavailable, CarrierBadAnswer)) as caught:
        await carrier(script, redis).get_sim(ICCID, priority=PEOPLE)
    assert caught.value.status in {502, 503}
    assert int(caught.value.headers["Retry-After"]) >= 1
    assert len(script.requests) == 2


@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if not isinstance(fault, httpx.ConnectError)], ids=named
)
async def test_what_costs_money_is_never_sent_twice(redis: Redis, fault: Answer) -> None:
    script = Script([fault])
    with pytest.raises(CarrierOutcomeUnknown):
        await transport(script, redis).send(ORDER, priority=BACKGROUND, iccid=ICCID)
    assert len(script.requests) == 1


async def test_what_never_left_may_be_sent_again(redis: Redis) -> None:
    lost = httpx.ConnectError("refused")
    script = Script([lost, httpx.Response(201, headers={"Location": "/v2/orders/1"})])
    answer = await transport(script, redis).send(ORDER, priority=PEOPLE, iccid=ICCID)
    assert (answer.status, answer.body) == (201, None)
    assert len(script.requests) == 2


async def test_a_refusal_is_not_repeated(redis: Redis) -> None:
    script = Script([httpx.Response(400, json={"message": "no"})])
    with pytest.raises(FleetError):
        await carrier(script, redis).get_sim(ICCID, priority=BACKGROUND)
    assert len(script.requests) == 1


async def test_retry_after_is_obeyed_by_every_caller(redis: Redis) -> None:
    limiter = RateLimiter(LocalReservationStore(10_000))
    script = Script([httpx.Response(429, headers={"Retry-After": "1"}), ok(sim())])
    client = carrier(script, redis, limiter=limiter)
    first = asyncio.create_task(client.get_sim(ICCID, priority=PEOPLE))
    await eventually(lambda: _sent(script, 1))
    await asyncio.gather(first, client.get_sim(ICCID, priority=PEOPLE))
    assert min(moment - script.moments[0] for moment in script.moments[1:]) >= 0.99


async def _sent(script: Script, number: int) -> bool:
    return len(script.requests) >= number


async def test_a_429_that_asks_too_long_is_told_with_its_time(redis: Redis) -> None:
    script = Script([httpx.Response(429, headers={"Retry-After": "30"})])
    with pytest.raises(CarrierRateLimited) as caught:
        await carrier(script, redis, budgets=time_budgets(try_seconds=2)).get_sim(ICCID, priority=PEOPLE)
    assert 28 <= int(caught.value.headers["Retry-After"]) <= 31
    assert len(script.requests) == 1


async def test_a_429_without_retry_after_slows_down_too(redis: Redis) -> None:
    script = Script([httpx.Response(429, json={"message": "Too Many Requests"})])
    with pytest.raises(CarrierRateLimited):
        await carrier(script, redis).get_sim(ICCID, priority=PEOPLE)
    assert len(script.requests) == 2


async def test_an_answer_that_never_ends_is_given_up(redis: Redis) -> None:
    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self) -> Any:
            while True:
                yield b" " * 10
                await asyncio.sleep(0.01)

    async def answer(request: httpx.Request) -> httpx.Response:
        return token(NEW_TOKEN) if "oauth" in request.url.path else httpx.Response(200, stream=Endless())

    client = carrier(answer, redis, budgets=SHORT_TIME_BUDGETS)
    with pytest.raises(CarrierUnavailable):
        async with asyncio.timeout(60):
            await client.get_sim(ICCID, priority=PEOPLE)


async def test_an_answer_that_is_too_large_is_given_up(redis: Redis) -> None:
    script = Script([ok([sim(label="x" * 2000)] * 10)])
    with pytest.raises(CarrierBadAnswer):
        await carrier(script, redis, max_bytes=10_000).list_sims(1, priority=PEOPLE)


async def test_an_expired_token_is_renewed_once_for_all_callers(redis: Redis) -> None:
    tokens = iter([OLD_TOKEN, NEW_TOKEN, "third"])
    script = Script(token_answer=lambda: token(next(tokens)))

    async def answer(request: httpx.Request) -> httpx.Response:
        if "oauth" in request.url.path:
            await asyncio.sleep(0.02)
            return await script(request)
        old = request.headers["authorization"] == f"Bearer {OLD_TOKEN}"
        return httpx.Response(401, json={"status": 401, "error": "Unauthorized"}) if old else ok(sim())

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    replicas = [carrier(answer, redis, tokens=token_source(answer, redis)) for _ in range(3)]
    calls = [replica.get_sim(ICCID, priority=PEOPLE) for replica in replicas for _ in range(10)]
    assert len(await asyncio.gather(*calls)) == 30
    assert script.token_requests == 2
    await http.aclose()


async def test_a_token_that_is_never_accepted_is_an_error_not_a_loop(redis: Redis) -> None:
    script = Script([httpx.Response(401)])
    with pytest.raises(CarrierCredentialsRejected) as caught:
        await carrier(script, redis).get_sim(ICCID, priority=BACKGROUND)
    assert caught.value.status == 503
    assert len(script.requests) == 2


async def test_bad_credentials_are_not_tried_again_and_again(redis: Redis) -> None:
    body = {"statusCode": 400, "errorCode": "BadCredentials", "message": "User does not exist."}
    script = Script(token_answer=lambda: httpx.Response(400, json=body))
    client = carrier(script, redis)
    for _ in range(3):
        with pytest.raises(CarrierCredentialsRejected) as caught:
            await client.get_sim(ICCID, priority=PEOPLE)
        assert caught.value.details == {"carrier_message": "User does not exist."}
    assert script.token_requests == 1


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, json={"access_token": "x"}),
        httpx.Response(200, json={"access_token": "", "expires_in": 3600}),
        httpx.Response(200, json={"access_token": "é", "expires_in": 3600}),
        httpx.Response(200, json={"access_token": "x", "expires_in": "soon"}),
        httpx.Response(200, json=[]),
        html(200),
        html(503),
        httpx.Response(200, content=b"x" * 100_000),
    ],
)
async def test_a_token_answer_that_cannot_be_used_is_an_error(redis: Redis, answer: httpx.Response) -> None:
    script = Script([ok(sim())], token_answer=lambda: answer)
    with pytest.raises((CarrierBadAnswer, CarrierUnavailable)):
        await carrier(script, redis).get_sim(ICCID, priority=PEOPLE)
    assert script.requests == []


async def test_the_breaker_opens_and_one_probe_closes_it(redis: Redis) -> None:
    script = Script([html(503)])
    client = carrier(script, redis, breaker=Breaker("test", threshold=4, ttl=0.3))
    for _ in range(2):
        with pytest.raises(CarrierUnavailable):
            await client.get_sim(ICCID, priority=PEOPLE)
    sent = len(script.requests)
    with pytest.raises(BreakerOpen):
        await client.get_sim(ICCID, priority=PEOPLE)
    assert len(script.requests) == sent == 4
    script.answers[:] = [ok(sim())]
    await asyncio.sleep(0.35)
    answers = await asyncio.gather(
        *(client.get_sim(ICCID, priority=PEOPLE) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(answer, BreakerOpen) for answer in answers) == 4
    assert len(script.requests) == sent + 1
    await client.get_sim(ICCID, priority=PEOPLE)


async def test_a_failed_probe_opens_the_breaker_again() -> None:
    breaker = Breaker("test", threshold=1, ttl=0.1)

    async def fail() -> None:
        raise CarrierUnavailable("away")

    for _ in range(3):
        with pytest.raises(CarrierUnavailable, match="away"):
            await breaker.call(fail)
        with pytest.raises(BreakerOpen):
            await breaker.call(fail)
        await asyncio.sleep(0.15)


async def test_a_cancelled_call_says_nothing_about_the_carrier() -> None:
    breaker = Breaker("test", threshold=1, ttl=60)
    for _ in range(3):
        call = asyncio.create_task(breaker.call(lambda: asyncio.sleep(10)))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert breaker.state == "closed"


async def test_lost_answers_of_what_is_not_repeated_open_the_breaker_too(redis: Redis) -> None:
    script = Script([html(503)])
    sender = transport(script, redis, breaker=Breaker("test", threshold=2, ttl=60))
    for _ in range(2):
        with pytest.raises(CarrierOutcomeUnknown):
            await sender.send(ORDER, priority=PEOPLE, iccid=ICCID)
    with pytest.raises(BreakerOpen):
        await sender.send(ORDER, priority=PEOPLE, iccid=ICCID)
    assert len(script.requests) == 2


async def test_a_held_lane_holds_no_other(redis: Redis) -> None:
    slow = RateLimiter(LocalReservationStore(1000))
    script = Script([ok(sim())])
    sender = transport(script, redis, lanes={"orders": slow})
    await slow.pause(600)
    with pytest.raises(CarrierRateLimited):
        await sender.send(LIST_ORDERS, priority=PEOPLE)
    assert (await sender.send(ORDER, priority=PEOPLE, iccid=ICCID)).status == 200
    assert [path.split("/")[-1] for path in script.paths] == ["topup"]
