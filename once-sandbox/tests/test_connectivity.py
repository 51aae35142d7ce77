"""Status, sessions, events."""

import pytest

from .support import Client, iccid


async def act(client: Client, action: str, **more: object) -> None:
    await client.control("POST", "/sessions", {"iccid": iccid(0), "action": action, **more})


async def states(client: Client) -> tuple[str, str]:
    first = (await client.get(f"/v1/sims/{iccid(0)}/status")).json()
    second = (await client.get(f"/v2/sims/{iccid(0)}/status")).json()
    return first["status"], second["status"]["description"]


async def test_a_session_opens_and_closes_in_both_versions(client: Client) -> None:
    await act(client, "detach")
    assert await states(client) == ("OFFLINE", "OFFLINE")
    await act(client, "attach", operator="Orange", rat="2G")
    assert await states(client) == ("ATTACHED", "ATTACHED")
    await act(client, "open")
    assert await states(client) == ("ONLINE", "ONLINE")
    first = (await client.get(f"/v1/sims/{iccid(0)}/status")).json()
    second = (await client.get(f"/v2/sims/{iccid(0)}/status")).json()
    assert first["pdp_context"]["rat_type"]["description"] == "2G"
    assert first["location"]["operator"]["name"] == "Orange"
    assert second["pdp_contexts"][0]["pdp_context_id"] == first["pdp_context"]["pdp_context_id"]
    info = (await client.get(f"/v1/sims/{iccid(0)}/connectivity_info?ussd=true")).json()
    assert info["subscriber_info"]["location"]["cell_global_id"]["mcc"] == "208"
    await act(client, "close")
    assert await states(client) == ("ATTACHED", "ATTACHED")
    types = [event["event_type"]["id"] for event in (await client.get(f"/v2/sims/{iccid(0)}/events")).json()]
    assert types[:4] == [5, 3, 2, 1]


async def test_connectivity_info_says_little_of_a_4g_device(client: Client) -> None:
    await act(client, "attach", rat="4G")
    info = (await client.get(f"/v1/sims/{iccid(0)}/connectivity_info")).json()
    assert info["subscriber_info"] == {"success": False, "state": "not_provided_from_vlr"}
    assert "ussd_info" not in info


async def test_a_vanished_device_stays_attached_for_a_day_or_two(client: Client) -> None:
    await act(client, "open")
    await act(client, "vanish")
    await client.advance(86_400)
    assert await states(client) == ("ATTACHED", "ATTACHED")
    await client.advance(86_400)
    assert await states(client) == ("OFFLINE", "OFFLINE")


async def test_only_v2_shows_a_block(client: Client) -> None:
    await act(client, "open")
    await act(client, "block")
    assert await states(client) == ("OFFLINE", "BLOCKED")
    await act(client, "unblock")
    assert await states(client) == ("ATTACHED", "ATTACHED")


async def test_idle_sessions_are_closed(client: Client) -> None:
    await client.control("POST", "/usage", {"iccid": iccid(0), "bytes": 10})
    assert (await states(client))[0] == "ONLINE"
    await client.advance(3_601)
    assert (await states(client))[0] == "ATTACHED"


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_reset_is_queued_and_makes_a_new_session(client: Client, version: str) -> None:
    await act(client, "open")
    before = (await client.get(f"/v2/sims/{iccid(0)}/status")).json()["pdp_contexts"][0]["pdp_context_id"]
    answer = await client.post(f"/{version}/sims/{iccid(0)}/reset")
    assert (answer.status_code, answer.content) == (201, b"")
    await client.advance(10)
    after = (await client.get(f"/v2/sims/{iccid(0)}/status")).json()["pdp_contexts"][0]["pdp_context_id"]
    assert after != before


async def test_disabling_ends_the_session_and_is_an_event(client: Client) -> None:
    await act(client, "open")
    await client.put(f"/v2/sims/{iccid(0)}", json={"status": "Disabled"})
    assert await states(client) == ("OFFLINE", "OFFLINE")
    events = (await client.get(f"/v2/sims/{iccid(0)}/events")).json()
    assert events[0]["event_type"]["id"] == 9
    refused = await client.post("/control/sessions", json={"iccid": iccid(0), "action": "attach"})
    assert refused.status_code == 409


async def test_events_have_pages_in_both_versions(client: Client) -> None:
    for _ in range(6):
        await act(client, "open")
        await act(client, "close")
    first = await client.get(f"/v1/sims/{iccid(0)}/events", params={"pageSize": 5, "sort": "timestamp"})
    body = first.json()
    assert len(body["events"]) == 5
    assert body["totalEvents"] == int(first.headers["X-Total-Count"]) >= 12
    assert body["events"][0]["event_type"].startswith("Status of SIM changed")
    assert body["totalPages"] == -(-body["totalEvents"] // 5)
    second = await client.get(f"/v2/sims/{iccid(0)}/events", params={"pageSize": 1000})
    assert len(second.json()) == body["totalEvents"]
    assert len({event["id"] for event in second.json()}) == body["totalEvents"]
    assert (await client.get(f"/v1/sims/{iccid(0)}/events?pageSize=1001")).status_code == 400
    assert (await client.get(f"/v1/sims/{iccid(0)}/events?sort=nothing")).status_code == 400


async def test_recorded_traffic_has_integers_where_the_specification_has_strings(client: Client) -> None:
    await act(client, "open")
    await client.behave(operator_ids="integer", iso_code="iso_code")
    location = (await client.get(f"/v1/sims/{iccid(0)}/status")).json()["location"]
    assert isinstance(location["operator"]["id"], int)
    assert "iso_code" in location["country"]
    assert "iso-code" not in location["country"]
