"""Messages."""

from datetime import UTC, datetime, timedelta

import pytest

from .support import Client, iccid

SMS = f"/v1/sims/{iccid(0)}/sms"
SMS_V2 = f"/v2/sims/{iccid(0)}/sms"


async def reachable(client: Client, action: str = "attach") -> None:
    await client.control("POST", "/sessions", {"iccid": iccid(0), "action": action})


async def status_of(client: Client, number: str) -> str:
    return str((await client.get(f"{SMS}/{number}")).json()["status"]["description"])


async def test_v1_answers_nothing_but_an_internal_location(client: Client) -> None:
    await reachable(client)
    answer = await client.post(SMS, json={"payload": "hello"})
    assert (answer.status_code, answer.content) == (201, b"")
    assert not answer.headers["Location"].startswith("http://carrier")
    number = answer.headers["Location"].rsplit("/", 1)[1]
    assert await status_of(client, number) == "PENDING"
    await client.advance(3)
    sms = (await client.get(f"{SMS}/{number}")).json()
    assert sms["status"] == {"id": 4, "description": "DELIVERED"}
    assert sms["sms_type"] == {"id": 1, "description": "MT"}
    assert isinstance(sms["retry_count"], str)
    assert (await client.delete(f"{SMS}/{number}")).status_code == 204


async def test_v2_answers_an_id(client: Client) -> None:
    number = (await client.post(SMS_V2, json={"payload": "hello"})).json()["id"]
    assert isinstance(number, str)
    sms = (await client.get(f"{SMS_V2}/{number}")).json()
    assert (sms["id"], sms["payload"], sms["retry_count"]) == (int(number), "hello", 0)
    assert isinstance(sms["msc"], int)


async def test_a_message_waits_for_its_sim_and_then_arrives(client: Client) -> None:
    await reachable(client, "detach")
    number = (await client.post(SMS_V2, json={"payload": "wait"})).json()["id"]
    await client.advance(70)
    assert await status_of(client, number) == "BUFFERED"
    shown = (await client.get(f"{SMS_V2}/{number}")).json()["status"]["description"]
    assert shown == "PENDING", "v2's specification has no BUFFERED"
    await client.behave(buffered_in_v2=True)
    assert (await client.get(f"{SMS_V2}/{number}")).json()["status"]["description"] == "BUFFERED"
    await reachable(client)
    assert await status_of(client, number) == "DELIVERED"


async def test_a_message_expires(client: Client) -> None:
    await reachable(client, "detach")
    soon = datetime.now(UTC) + timedelta(hours=1)
    body = {"payload": "late", "expiry_date": soon.isoformat()}
    number = (await client.post(SMS_V2, json=body)).json()["id"]
    default = (await client.post(SMS_V2, json={"payload": "later"})).json()["id"]
    await client.advance(3_700)
    assert await status_of(client, number) == "EXPIRED"
    assert await status_of(client, default) == "BUFFERED"
    await client.advance(86_400)
    assert await status_of(client, default) == "EXPIRED"


async def test_a_waiting_message_can_be_cancelled_once(client: Client) -> None:
    await reachable(client, "detach")
    number = (await client.post(SMS_V2, json={"payload": "stop"})).json()["id"]
    assert (await client.delete(f"{SMS_V2}/{number}")).json() == {"id": number}
    assert (await client.delete(f"{SMS_V2}/{number}")).status_code == 400
    await reachable(client)
    await client.advance(100)
    assert await status_of(client, number) == "FAILED"


@pytest.mark.parametrize(
    ("body", "good"),
    [
        ({"payload": "a" * 160}, True),
        ({"payload": "a" * 161}, False),
        ({"payload": "€" * 81}, False),
        ({"payload": "a" * 153, "udh": "050003CC0301"}, True),
        ({"payload": "a" * 154, "udh": "050003CC0301"}, False),
        ({"payload": "ж" * 70, "dcs": 8}, True),
        ({"payload": "ж" * 71, "dcs": 8}, False),
        ({"payload": "ж"}, False),
        ({"payload": "ff" * 140, "dcs": 4}, True),
        ({"payload": "ff" * 141, "dcs": 4}, False),
        ({"payload": "fff", "dcs": 4}, False),
        ({"payload": "a", "dcs": 3}, False),
        ({"payload": "a", "udh": "xyz"}, False),
        ({"payload": "a", "source_address_type": {"id": 145}}, True),
        ({"payload": "a", "source_address_type": {"id": 1}}, False),
        ({"payload": "a", "expiry_date": "2020-01-01T00:00:00Z"}, False),
        ({}, False),
    ],
)
async def test_what_fits_into_one_message(client: Client, body: dict[str, object], good: bool) -> None:
    assert (await client.post(SMS, json=body)).status_code == (201 if good else 400)


async def test_messages_count_in_quota_and_usage_and_are_kept_a_week(client: Client) -> None:
    await reachable(client)
    left = (await client.get(f"/v2/sims/{iccid(0)}/quota/sms")).json()["volume"]
    await client.post(SMS, json={"payload": "one"})
    await client.control("POST", "/sms/mo", {"iccid": iccid(0), "payload": "two"})
    await client.advance(10)
    assert (await client.get(f"/v2/sims/{iccid(0)}/quota/sms")).json()["volume"] == left - 2
    listed = await client.get(SMS_V2)
    assert [sms["sms_type"]["description"] for sms in listed.json()] == ["MO", "MT"]
    assert listed.headers["X-Total-Count"] == "2"
    assert len((await client.get(f"{SMS_V2}?per_page=1&page=2")).json()) == 1
    await client.advance(7 * 86_400)
    assert (await client.get(SMS)).json() == []


async def test_without_quota_nothing_is_delivered_or_sent(client: Client) -> None:
    await reachable(client)
    await client.control("PATCH", f"/sims/{iccid(0)}", {"remaining_sms": 0})
    number = (await client.post(SMS_V2, json={"payload": "no"})).json()["id"]
    await client.advance(5)
    assert await status_of(client, number) == "FAILED"
    refused = await client.post("/control/sms/mo", json={"iccid": iccid(0), "payload": "no"})
    assert refused.status_code == 409


async def test_an_outcome_can_be_chosen(client: Client) -> None:
    await reachable(client, "detach")
    number = (await client.post(SMS_V2, json={"payload": "x"})).json()["id"]
    await client.control("POST", f"/sms/{number}/status", {"status": "FAILED"})
    assert await status_of(client, number) == "FAILED"
    again = await client.post(f"/control/sms/{number}/status", json={"status": "DELIVERED"})
    assert again.status_code == 409


async def test_unknown_messages(client: Client) -> None:
    assert (await client.get(f"{SMS}/99999")).status_code == 404
    assert (await client.get(f"{SMS_V2}/abc")).status_code == 400


async def test_control_shows_messages_of_both_directions(client: Client) -> None:
    await reachable(client)
    await client.post(SMS, json={"payload": "to"})
    await client.control("POST", "/sms/mo", {"iccid": iccid(0), "payload": "from"})
    shown = (await client.control("GET", f"/sms?iccid={iccid(0)}")).json()
    assert [(sms["payload"], sms["sms_type"]["description"]) for sms in shown] == [
        ("to", "MT"),
        ("from", "MO"),
    ]
