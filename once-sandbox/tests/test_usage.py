"""Usage and quotas: what was driven is what is read."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from .support import Client, iccid

MB = 1024 * 1024


def in_bytes(row: dict[str, Any], name: str = "volume") -> int:
    return round(float(row["data"][name]) * MB)


async def usage(client: Client, sim: str, **params: str) -> list[dict[str, Any]]:
    stats: list[dict[str, Any]] = (await client.get(f"/v1/sims/{sim}/usage", params=params)).json()["stats"]
    return stats


def today() -> str:
    return datetime.now(UTC).date().isoformat()


async def test_driven_bytes_come_back_to_the_byte(client: Client) -> None:
    for number in range(50):
        await client.control("POST", "/usage", {"iccid": iccid(0), "bytes": 1_013 * number})
    split = {"iccid": iccid(0), "sent_bytes": 1, "received_bytes": 7}
    await client.control("POST", "/usage", split)
    row, total = await usage(client, iccid(0), start_dt=today(), end_dt=today())
    assert row["date"].startswith(today())
    assert in_bytes(row, "volume_rx") == 1_013 * sum(range(50)) + 1
    assert in_bytes(row, "volume_tx") == 7
    assert total["date"] == "TOTAL"
    assert in_bytes(total) == in_bytes(row)
    assert isinstance(row["data"]["volume"], str)
    assert "e" not in row["data"]["volume"]


async def test_the_seeded_past_and_the_quota_agree_to_the_byte(client: Client) -> None:
    world = client.sandbox_app.sandbox.world
    sim = world.sims.by_iccid[iccid(4)]
    sim.activated_at = world.born_at - 90 * 86_400
    rows = await usage(client, iccid(4))
    remaining = (await client.get(f"/v2/sims/{iccid(4)}/quota/data")).json()["volume"]
    assert sum(in_bytes(row) for row in rows[:-1]) == 500 * MB - round(remaining * MB)


async def test_days_are_newest_first_without_gaps_and_limited_to_six_months(client: Client) -> None:
    rows = await usage(client, iccid(1), start_dt="2020-01-01", end_dt="2099-01-01")
    days = [datetime.fromisoformat(row["date"]).date() for row in rows[:-1]]
    assert days == sorted(days, reverse=True)
    assert days[0].isoformat() == today()
    assert all(newer - older == timedelta(days=1) for newer, older in pairwise(days))
    assert 178 <= len(days) <= 188


async def test_a_reversed_range_is_a_total_of_zero(client: Client) -> None:
    (row,) = await usage(client, iccid(1), start_dt=today(), end_dt="2026-01-01")
    assert (row["date"], row["data"]["volume"], row["sms"]["volume"]) == ("TOTAL", "0", "0")


async def test_a_date_that_is_none_is_refused(client: Client) -> None:
    assert (await client.get(f"/v1/sims/{iccid(1)}/usage?start_dt=2026-13-01")).status_code == 400


async def test_direction_can_follow_the_specification(client: Client) -> None:
    await client.control("POST", "/usage", {"iccid": iccid(0), "bytes": 500})
    await client.behave(rx_is_sent=False)
    row, _ = await usage(client, iccid(0), start_dt=today(), end_dt=today())
    assert (in_bytes(row, "volume_tx"), in_bytes(row, "volume_rx")) == (500, 0)


async def test_quotas_of_both_versions(client: Client) -> None:
    await client.control("PATCH", f"/sims/{iccid(0)}", {"remaining_mb": 50, "remaining_sms": 0})
    first = (await client.get(f"/v1/sims/{iccid(0)}/quota/data")).json()
    second = (await client.get(f"/v2/sims/{iccid(0)}/quota/data")).json()
    assert (first["volume"], first["total_volume"], first["threshold_percentage"]) == (50, 500, 20)
    assert first["peak_throughput"] > 0
    assert "peak_throughput" not in second
    assert second["status"] == {"id": 1, "description": "ACTIVE"}
    sms = (await client.get(f"/v2/sims/{iccid(0)}/quota/sms")).json()
    assert (sms["volume"], sms["status"]) == (0, {"id": 0, "description": "EXHAUSTED"})
    card = (await client.get(f"/v2/sims/{iccid(0)}")).json()
    assert (card["quota_status"]["id"], card["quota_status_SMS"]["id"]) == (1, 2)
    assert card["quota_status"]["threshold_reached_date"]


async def test_an_overrun_is_negative_in_v2_only_and_stops_traffic(client: Client) -> None:
    await client.control("PATCH", f"/sims/{iccid(0)}", {"remaining_mb": 150})
    assert (await client.control("POST", "/usage", {"iccid": iccid(0), "bytes": 152 * MB})).json()[
        "booked"
    ] == 1
    assert (await client.get(f"/v2/sims/{iccid(0)}/quota/data")).json()["volume"] == pytest.approx(-2)
    assert (await client.get(f"/v1/sims/{iccid(0)}/quota/data")).json()["volume"] == 0
    refused = (await client.control("POST", "/usage", {"iccid": iccid(0), "bytes": 1})).json()["refused"]
    assert refused == [{"iccid": iccid(0), "cause": "QUOTA_EXHAUSTED"}]
    types = [event["event_type"]["id"] for event in (await client.get(f"/v2/sims/{iccid(0)}/events")).json()]
    assert types.count(18) == types.count(19) == 1


async def test_an_expired_quota_says_so(client: Client) -> None:
    await client.control("PATCH", f"/sims/{iccid(0)}", {"expires_in_seconds": 60})
    await client.advance(61)
    quota = (await client.get(f"/v2/sims/{iccid(0)}/quota/data")).json()
    assert quota["status"] == {"id": 2, "description": "EXPIRED"}
    events = (await client.get(f"/v2/sims/{iccid(0)}/events")).json()
    assert 60 in [event["event_type"]["id"] for event in events]
    answer = await client.put(f"/v1/sims/{iccid(0)}", json={"iccid": iccid(0), "status": "Disabled"})
    assert answer.status_code == 422


async def test_one_bad_entry_does_not_stop_its_neighbours(client: Client) -> None:
    entries = [{"iccid": "1", "bytes": 5}, {"iccid": iccid(0), "bytes": 5}]
    answer = (await client.control("POST", "/usage", entries)).json()
    assert (answer["booked"], answer["refused"]) == (1, [{"iccid": "1", "cause": "UNKNOWN_SIM"}])
    assert (await client.post("/control/usage", json={"iccid": "1", "bytes": 5})).status_code == 404


async def test_a_modem_s_twenty_digits_are_understood(client: Client) -> None:
    card = (await client.get(f"/v2/sims/{iccid(0)}")).json()
    await client.control("POST", "/usage", {"iccid": card["iccid_with_luhn"], "bytes": 9})
    row, _ = await usage(client, iccid(0), start_dt=today(), end_dt=today())
    assert in_bytes(row) == 9


@pytest.mark.parametrize(
    ("change", "traffic", "cause"),
    [
        ({"enabled": False}, {}, "DATA_SERVICE_BARRED"),
        ({"imei_lock": True}, {"imei": "12345678901234"}, "IMEI_LOCK_BREACHED"),
        ({"expires_in_seconds": -1}, {}, "QUOTA_EXPIRED"),
    ],
)
async def test_refusals_name_their_cause_in_an_event(
    client: Client, change: dict[str, Any], traffic: dict[str, Any], cause: str
) -> None:
    await client.control("PATCH", f"/sims/{iccid(0)}", change)
    body = {"iccid": iccid(0), "bytes": 1} | traffic
    for _ in range(2):
        assert (await client.control("POST", "/usage", body)).json()["refused"][0]["cause"] == cause
    details = [event.get("detail", {}) for event in (await client.get(f"/v2/sims/{iccid(0)}/events")).json()]
    assert [detail.get("data_service_failure_cause") for detail in details].count(cause) == 1


async def test_past_traffic_is_booked_on_its_day(client: Client) -> None:
    await client.advance(3 * 86_400)
    at = datetime.now(UTC) + timedelta(days=1)
    await client.control("POST", "/usage", {"iccid": iccid(0), "bytes": 77, "at": at.isoformat()})
    day = at.date().isoformat()
    row, _ = await usage(client, iccid(0), start_dt=day, end_dt=day)
    assert in_bytes(row) == 77
    late = {"iccid": iccid(0), "bytes": 1, "at": (at + timedelta(days=30)).isoformat()}
    assert (await client.post("/control/usage", json=late)).status_code == 422


async def test_monthly_limits_stop_data(client: Client) -> None:
    await client.advance(40 * 86_400)  # a month without any seeded usage
    assert (await client.get("/v1/sims/limits")).json() == {}
    options = (await client.get("/v1/sims/data/limits")).json()["limits"]
    smallest = min(options, key=lambda option: float(option["limit"]))
    answer = await client.post("/v1/sims/limits", json={"dataLimitId": smallest["id"], "smsMtLimitId": 1})
    assert (answer.status_code, answer.content) == (201, b"")
    assert (await client.get("/v1/sims/limits")).json()["data"] == smallest
    await client.control("POST", "/usage", {"iccid": iccid(0), "bytes": 2 * MB})
    refused = (await client.control("POST", "/usage", {"iccid": iccid(0), "bytes": 1})).json()["refused"]
    assert refused[0]["cause"] == "MONTHLY_USAGE_LIMIT_EXCEEDED"
    status = (await client.get(f"/v2/sims/{iccid(0)}/status")).json()
    assert status["data_traffic_limit_state"] == {"description": "REACHED"}
    assert (await client.post("/v1/sims/limits", json={"dataLimitId": 99})).status_code == 400
    await client.behave(limit_scope="organisation")
    refused = (await client.control("POST", "/usage", {"iccid": iccid(1), "bytes": 1})).json()["refused"]
    assert refused[0]["cause"] == "MONTHLY_USAGE_LIMIT_EXCEEDED"


async def test_control_shows_the_bytes_of_each_day(client: Client) -> None:
    await client.control("POST", "/usage", {"iccid": iccid(0), "sent_bytes": 11, "received_bytes": 7})
    first = (datetime.now(UTC).date() - timedelta(days=2)).isoformat()
    days = (await client.control("GET", f"/usage?iccid={iccid(0)}&first={first}&last={today()}")).json()
    assert [day["day"] for day in days][::2] == [first, today()]
    assert (days[2]["sent"], days[2]["received"], days[2]["sms_sent"]) == (11, 7, 0)
