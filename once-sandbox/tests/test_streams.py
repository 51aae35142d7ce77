"""Pushes: the Data Streamer and the SMS Forwarder, to a receiver on a real server."""

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response

from .support import Client, eventually, iccid, serving

KB = 1024


@dataclass
class Receiver:
    """Takes pushes, and fails while `failures` are left."""

    url: str = ""
    failures: int = 0
    status: int = 500
    taken: list[tuple[str, Any, str]] = field(default_factory=list)

    def bodies(self, method: str = "POST") -> list[Any]:
        return [body for sent_by, body, _ in self.taken if sent_by == method]

    def records(self) -> list[dict[str, Any]]:
        return [record for body in self.bodies() for record in body]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    taker, app = Receiver(), FastAPI()

    @app.api_route("/push", methods=["POST", "PATCH"])
    async def take(request: Request) -> Response:
        body = await request.json()
        if taker.failures > 0:
            taker.failures -= 1
            return Response(status_code=taker.status)
        taker.taken.append((request.method, body, request.headers.get("authorization", "")))
        return Response(status_code=200)

    async with serving(app) as url:
        taker.url = f"{url}/push"
        yield taker


async def stream(client: Client, receiver: Receiver, **config: object) -> int:
    body = {"url": receiver.url, "interval_seconds": 0.05, "retry_seconds": 0.05, **config}
    number: int = (await client.control("POST", "/streams", body)).json()["id"]
    return number


async def test_usage_arrives_nested_and_turned_round(served: Client, receiver: Receiver) -> None:
    await stream(served, receiver, username="me", password="secret")
    traffic = {"iccid": iccid(0), "sent_bytes": 300 * KB, "received_bytes": 100 * KB}
    await served.control("POST", "/usage", traffic)
    await served.advance(4_000)
    await eventually(receiver.records)
    (record,) = receiver.records()
    assert receiver.taken[0][2] == "Basic " + base64.b64encode(b"me:secret").decode()
    assert record["sim"]["iccid"] == iccid(0)
    assert isinstance(record["imsi"], str)
    assert record["traffic_type"] == {"id": 5, "description": "Data"}
    assert record["volume"]["tx"] * 1024 == pytest.approx(300)
    assert record["volume"]["rx"] * 1024 == pytest.approx(100)
    assert record["volume"]["total"] * 1024 == pytest.approx(400)
    assert record["operator"]["country"]["mcc"]


async def test_a_long_session_is_reported_every_quarter_of_an_hour(
    served: Client, receiver: Receiver
) -> None:
    await stream(served, receiver)
    for _ in range(8):
        await served.control("POST", "/usage", {"iccid": iccid(0), "bytes": 60 * KB})
        await served.advance(500)
    await served.advance(4_000)
    await eventually(lambda: sum(record["volume"]["total"] for record in receiver.records()) >= 0.46)
    records = receiver.records()
    assert 3 <= len(records) <= 5
    assert sum(record["volume"]["total"] for record in records) == pytest.approx(8 * 60 / 1024)
    assert len({record["id"] for record in records}) == len(records)


async def test_every_message_is_a_record(served: Client, receiver: Receiver) -> None:
    await stream(served, receiver)
    await served.control("POST", "/sms/mo", {"iccid": iccid(0), "payload": "hello"})
    await eventually(receiver.records)
    (record,) = receiver.records()
    assert record["traffic_type"]["id"] == 6
    assert record["volume"] == {"total": 1, "tx": 1, "rx": 0}


async def test_events_arrive_with_their_detail(served: Client, receiver: Receiver) -> None:
    await served.behave(quota_volume_as_text=True)
    await stream(served, receiver, topic="events")
    await served.control("PATCH", f"/sims/{iccid(0)}", {"remaining_mb": 101})
    await served.control("POST", "/usage", {"iccid": iccid(0), "bytes": 2 * KB * KB})
    await eventually(lambda: any(record["event_type"]["id"] == 18 for record in receiver.records()))
    record = next(record for record in receiver.records() if record["event_type"]["id"] == 18)
    assert isinstance(record["detail"]["quota"]["volume"], str)
    assert isinstance(record["imsi"], dict)
    assert record["alert"] is True


async def test_flat_streams_say_the_same_without_nesting(served: Client, receiver: Receiver) -> None:
    await stream(served, receiver, shape="flat")
    await served.control("POST", "/sms/mo", {"iccid": iccid(0), "payload": "hello"})
    await eventually(receiver.records)
    (record,) = receiver.records()
    assert record["sim_iccid"] == iccid(0)
    assert (record["volume_total"], record["traffic_type_id"]) == (1, 6)
    assert not any(isinstance(value, dict) for value in record.values())


async def test_failed_posts_are_repeated_until_they_are_taken(served: Client, receiver: Receiver) -> None:
    receiver.failures, receiver.status = 3, 202
    number = await stream(served, receiver)
    await served.control("POST", f"/streams/{number}/burst", {"records": 10})
    await eventually(receiver.records)
    shown = (await served.control("GET", "/streams")).json()[0]
    assert (shown["posts"], shown["delivered"], shown["failures"]) == (4, 10, 0)


async def test_a_stream_that_keeps_failing_stops_until_it_is_restarted(
    served: Client, receiver: Receiver
) -> None:
    receiver.failures = 2
    number = await stream(served, receiver, give_up_after=2)
    running = served.sandbox_app.sandbox.pushes.streams[number]
    await served.control("POST", f"/streams/{number}/burst", {"records": 1})
    await eventually(lambda: running.state == "stopped")
    assert receiver.records() == []
    await served.control("POST", f"/streams/{number}/restart")
    await eventually(receiver.records)
    await served.control("DELETE", f"/streams/{number}")
    assert (await served.control("GET", "/streams")).json() == []


async def test_a_post_has_at_most_three_thousand_records(served: Client, receiver: Receiver) -> None:
    number = await stream(served, receiver)
    await served.control("POST", f"/streams/{number}/burst", {"records": 7_000, "duplicates": 0.3})
    await eventually(lambda: len(receiver.records()) == 7_000, timeout=90)
    assert [len(body) for body in receiver.bodies()] == [3_000, 3_000, 1_000]
    unique = len({record["id"] for record in receiver.records()})
    assert 4_400 < unique < 5_400


async def test_faults_of_pushes(served: Client, receiver: Receiver) -> None:
    await served.control("POST", "/faults", {"kind": "duplicate_records", "path": "/push/usage", "count": 1})
    await served.control("POST", "/faults", {"kind": "flat_records", "path": "/push/*", "count": 1})
    await served.control("POST", "/faults", {"kind": "shuffle_records", "path": "/push/*", "count": 1})
    number = await stream(served, receiver)
    await served.control("POST", f"/streams/{number}/burst", {"records": 30})
    await eventually(receiver.records)
    records = receiver.records()
    assert len(records) == 40
    assert len({record["id"] for record in records}) == 30
    assert all("sim_iccid" in record for record in records)


async def test_messages_and_reports_go_to_the_forwarder(served: Client, receiver: Receiver) -> None:
    receiver.failures = 2
    await served.control("PUT", "/sms-forwarder", {"url": receiver.url, "retry_seconds": 0.05})
    parts = {"iccid": iccid(0), "payload": "x" * 150, "udh": "050003CC0201", "dest_address": "4711"}
    await served.control("POST", "/sms/mo", parts)
    await served.control("POST", "/sessions", {"iccid": iccid(0), "action": "attach"})
    number = (await served.post(f"/v2/sims/{iccid(0)}/sms", json={"payload": "hi"})).json()["id"]
    await served.advance(5)
    await eventually(lambda: receiver.bodies("PATCH") and receiver.bodies())
    (received,) = receiver.bodies()
    assert (received["payload"], received["dest_address"]) == ("x" * 150, "4711")
    assert received["endpoint"]["name"] == iccid(0)
    assert received["multi_part_info"] == {"identifier": 0xCC, "total": 2, "partno": 1}
    (report,) = receiver.bodies("PATCH")
    assert (str(report["id"]), report["status"]["description"]) == (number, "DELIVERED")
    shown = (await served.control("GET", "/sms-forwarder")).json()
    assert (shown["waiting"], shown["forwarded"]) == (0, 2)


async def test_the_forwarder_gives_up_after_a_day(served: Client, receiver: Receiver) -> None:
    receiver.failures = 10_000
    await served.control("PUT", "/sms-forwarder", {"url": receiver.url, "retry_seconds": 0.05})
    await served.control("POST", "/sms/mo", {"iccid": iccid(0), "payload": "hello"})
    pushes = served.sandbox_app.sandbox.pushes
    await eventually(lambda: pushes.deliveries and pushes.deliveries[0].pace.failures)
    await served.advance(86_500)
    await eventually(lambda: pushes.given_up == 1)
    await served.control("DELETE", "/sms-forwarder")
    assert (await served.control("GET", "/sms-forwarder")).json()["config"] is None
