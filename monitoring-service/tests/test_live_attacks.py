"""What a client of the live feed may send; everything else ends its connection."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from fleet_contracts.events import TokenRevoked, TokenRevokedData
from fleet_kit.messaging import Publisher
from fleet_kit.testing import eventually
from fleet_kit.testing_websocket import BINARY, CONTINUATION, FEED, PING, RawWebSocket, frame, frame_head
from fleet_kit.websocket_protocol import FIRST_MESSAGE_BYTES, MAX_FRAGMENTS
from monitoring_service.live.guard import MESSAGE_BYTES

pytestmark = pytest.mark.attack

Open = Callable[..., Awaitable[RawWebSocket]]
POLICY_VIOLATION, TOO_BIG = 1008, 1009


@pytest.fixture
async def open_socket(fleet: Any) -> AsyncIterator[Open]:
    sockets: list[RawWebSocket] = []

    async def open_one(*headers: str, known: bool = False, target: str = FEED) -> RawWebSocket:
        made = await RawWebSocket.open(str(fleet.http.base_url), target, *headers)
        sockets.append(made)
        if known:
            await made.log_in(fleet.tokens.token(fleet.organization))
        return made

    yield open_one
    for one in sockets:
        one.close()


async def test_no_compression_is_agreed_upon(open_socket: Open) -> None:
    made = await open_socket("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
    assert made.status == 101
    assert "sec-websocket-extensions" not in made.head.lower()


@pytest.mark.parametrize(("known", "most"), [(False, FIRST_MESSAGE_BYTES), (True, MESSAGE_BYTES)])
@pytest.mark.parametrize("in_fragments", [False, True])
async def test_a_long_message_ends_the_connection_before_it_has_arrived(
    open_socket: Open, known: bool, most: int, in_fragments: bool
) -> None:
    made = await open_socket(known=known)
    if in_fragments:
        made.send(frame(b"x" * (most - 1), final=False) + frame_head(2, CONTINUATION))
    else:
        made.send(frame_head(most + 1))
    await made.ended()
    assert made.close_code == TOO_BIG


async def test_a_message_of_many_empty_fragments_ends_the_connection(open_socket: Open) -> None:
    made = await open_socket()
    made.send(frame("", final=False) + frame("", CONTINUATION, final=False) * MAX_FRAGMENTS)
    await made.ended()
    assert made.close_code == TOO_BIG


async def test_a_subscription_to_everything_that_one_may_name_fits(fleet: Any, open_socket: Open) -> None:
    made = await open_socket(known=True)
    wanted = {"devices": [str(UUID(int=n)) for n in range(1000)], "sims": [f"{n:020}" for n in range(1000)]}
    made.send(frame("427" + json.dumps(["subscribe", wanted])))
    assert "DEVICE_NOT_FOUND" in await made.text("437")


MESSAGES = {
    "another namespace": "40/admin,{}",
    "another namespace's event": '42/admin,["subscribe"]',
    "a second CONNECT": '40{"token":"x"}',
    "an event named like the server's own handler": '42["disconnect"]',
    "the same with an id": '421["disconnect","client namespace disconnect"]',
    "a connect as an event": '42["connect",{}]',
    "attachments": '45100000-["subscribe",{"_placeholder":true,"num":0}]',
    "acknowledgement of nothing": "43999999999[]",
    "a long id": "42" + "9" * 99 + '["subscribe"]',
    "deep JSON": '42["subscribe",' + "[" * 5000 + "]" * 5000 + "]",
    "no JSON": '42["subscribe"',
    "no name": "42[]",
    "a number as name": "42[1]",
    "a list as name": '42[["subscribe"]]',
    "many arguments": '42["subscribe",1,2,3,4,5]',
    "an upgrade, which the server would answer": "5",
    "a ping, which only the server sends": "2",
    "an unknown type": "9",
    "no type": "x",
    "nothing": "",
}


@pytest.mark.parametrize("text", MESSAGES.values(), ids=MESSAGES.keys())
async def test_what_no_client_needs_to_send_ends_the_connection(
    fleet: Any, open_socket: Open, text: str
) -> None:
    made = await open_socket(known=True)
    made.send(frame(text))
    await made.ended()
    assert made.close_code == POLICY_VIOLATION
    assert made.close_reason


async def test_a_binary_message_ends_the_connection(open_socket: Open) -> None:
    made = await open_socket(known=True)
    made.send(frame(b"\x00" * 100, BINARY))
    await made.ended()
    assert made.close_code == POLICY_VIOLATION


async def test_an_event_before_the_token_ends_the_connection(open_socket: Open) -> None:
    made = await open_socket()
    made.send(frame('421["subscribe",{}]'))
    await made.ended()
    assert made.close_code == POLICY_VIOLATION


async def test_an_unknown_event_is_answered(open_socket: Open) -> None:
    made = await open_socket(known=True)
    made.send(frame('424["publish",{}]') + frame('425["subscribe",{},{}]'))
    assert "UNKNOWN_EVENT" in await made.text("434")
    assert "VALIDATION_FAILED" in await made.text("435")


async def idle(made: RawWebSocket) -> None:
    """Sends nothing."""


async def ping(made: RawWebSocket) -> None:
    made.send(frame("", PING) + frame("3"))


async def lie(made: RawWebSocket) -> None:
    made.send(frame('40{"token":"a.b.c"}'))
    assert "TOKEN_INVALID" in await made.text("44")


async def half_a_message(made: RawWebSocket) -> None:
    made.send(frame_head(1000) + b"40{")


async def test_who_sends_no_valid_token_is_cut_off(open_socket: Open) -> None:
    made = [await open_socket() for _ in range(4)]
    for one, attack in zip(made, (idle, ping, lie, half_a_message), strict=True):
        await attack(one)
    await asyncio.gather(*(one.ended() for one in made))


@pytest.mark.parametrize("goodbye", ["41", "1"])
async def test_who_says_goodbye_does_not_stay(open_socket: Open, goodbye: str) -> None:
    made = await open_socket(known=True)
    made.send(frame(goodbye))
    await made.ended()


async def test_a_revoked_token_ends_every_connection_whatever_it_sent(fleet: Any) -> None:
    token = fleet.tokens.token(fleet.organization)
    principal = await fleet.tokens.verifier().verify(token)
    made = []
    for sent in ("", '421["publish"]', '421["subscribe",{}]', "3"):
        one = await RawWebSocket.open(str(fleet.http.base_url))
        await one.log_in(token)
        if sent:
            one.send(frame(sent))
        made.append(one)
    data = TokenRevokedData(jti=principal.token_id, sid=None, expires_at=datetime.now(UTC))
    event = TokenRevoked(source="t", subject="s", organizationid=UUID(int=1), data=data)
    publisher = Publisher(fleet.settings.amqp_url.get_secret_value(), "test")
    ends = asyncio.gather(*(one.ended() for one in made))

    async def all_gone() -> bool:
        await publisher.publish_event(event)
        return ends.done()

    await eventually(all_gone, every=0.3)
    await ends
    await publisher.close()


async def test_who_asks_on_without_reading_is_cut_off(fleet: Any, open_socket: Open) -> None:
    made = await open_socket(known=True)
    asked = frame('421["nothing"]') + frame("x" * 100, PING)

    async def gone() -> bool:
        made.send(asked * 500)
        return made.is_closing

    await eventually(gone, timeout=60)


async def test_a_token_in_the_address_is_refused_and_the_right_place_is_named(open_socket: Open) -> None:
    made = await open_socket(target=FEED + "&token=hush-hush")
    assert made.status == 400
    error = json.loads(await made.body())["error"]
    assert error["code"] == "UNKNOWN_PARAMETER"
    assert "CONNECT" in error["message"]


async def test_plain_http_is_told_to_upgrade(fleet: Any) -> None:
    for method in ("GET", "POST"):
        answer: httpx.Response = await fleet.http.request(
            method, "/ws/monitoring/?EIO=4&transport=polling", headers={"Upgrade": "websocket"}
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (426, "UPGRADE_REQUIRED")
