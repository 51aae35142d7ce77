"""Reading readings back."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

START = datetime.now(UTC).replace(microsecond=0, second=0) - timedelta(hours=2)


async def test_a_devices_readings_come_newest_first_or_oldest_first(fleet: Any) -> None:
    device = await fleet.device()
    await fleet.readings(device, 1, 2, 3, start=START)
    newest = await fleet.items(f"/data/{device}")
    assert [item["metrics"]["value"] for item in newest] == [3, 2, 1]
    assert set(newest[0]) >= {"id", "device_id", "ts", "received_at", "metrics"}
    assert newest[0]["ts"].endswith(".000Z")
    oldest = await fleet.items(f"/data/{device}", order="asc")
    assert [item["id"] for item in oldest] == ["r0", "r1", "r2"]


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_pages_hold_every_reading_once_even_when_all_have_the_same_time(fleet: Any, order: str) -> None:
    device = await fleet.device()
    await fleet.readings(device, *range(25), start=START, step=0)
    found = await fleet.all_items(f"/data/{device}", page_size=4, order=order)
    assert sorted(item["id"] for item in found) == sorted(f"r{n}" for n in range(25))


async def test_a_range_includes_its_start_and_excludes_its_end(fleet: Any) -> None:
    device = await fleet.device()
    await fleet.readings(device, 1, 2, 3, 4, start=START)
    span = {
        "from": (START + timedelta(seconds=1)).isoformat(),
        "to": (START + timedelta(seconds=3)).isoformat(),
    }
    assert [item["metrics"]["value"] for item in await fleet.items(f"/data/{device}", **span)] == [3, 2]


async def test_only_the_metric_asked_for_is_answered(fleet: Any, message: Any) -> None:
    device = await fleet.device()
    await fleet.store(
        message({"id": "a", "metrics": {"x": 1, "y": 2}}, {"id": "b", "metrics": {"y": 3}}, device=device)
    )
    assert [item["metrics"] for item in await fleet.items(f"/data/{device}", metric="x")] == [{"x": 1}]


@pytest.mark.parametrize(
    ("agg", "values"),
    [("avg", [2, 5]), ("min", [1, 4]), ("max", [3, 6]), ("sum", [6, 15]), ("count", [3, 3])],
)
async def test_downsampling_gives_one_figure_per_metric_and_interval(
    fleet: Any, agg: str, values: list[int]
) -> None:
    device = await fleet.device()
    await fleet.readings(device, 1, 2, 3, 4, 5, 6, start=START, step=20)
    found = await fleet.items(f"/data/{device}", interval="1m", agg=agg)
    assert [(item["metrics"]["value"], item["count"]) for item in found] == [(value, 3) for value in values]
    assert found[0]["ts"] == START.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    paged = await fleet.all_items(f"/data/{device}", interval="1m", agg=agg, page_size=1)
    assert paged == found


async def test_downsampling_one_metric_leaves_the_others_out(fleet: Any, message: Any) -> None:
    device = await fleet.device()
    await fleet.store(message({"id": "a", "metrics": {"x": 1, "y": 2}}, device=device))
    assert [item["metrics"] for item in await fleet.items(f"/data/{device}", interval="1h", metric="y")] == [
        {"y": 2}
    ]
    assert await fleet.items(f"/data/{device}", interval="1h", metric="z") == []


async def test_all_readings_of_the_organisation_come_last_stored_first(fleet: Any) -> None:
    one, two, other = await fleet.device(), await fleet.device(), await fleet.device(uuid4())
    for device in (one, two, other):
        await fleet.readings(device, 1, 2, start=START)
    found = await fleet.all_items("/data", page_size=3)
    assert [(item["device_id"], item["id"]) for item in found] == [
        (two, "r1"),
        (two, "r0"),
        (one, "r1"),
        (one, "r0"),
    ]
    admin = {"Authorization": f"Bearer {fleet.tokens.token(is_admin=True)}"}
    everything = await fleet.http.get("/api/v1/monitoring/data", headers=admin)
    assert len(everything.json()["items"]) == 6


async def test_the_latest_reading_is_the_newest_by_time_whatever_came_last(fleet: Any, message: Any) -> None:
    device = await fleet.device()
    newer = {"id": "new", "ts": START.isoformat(), "metrics": {"value": 2}}
    older = {"id": "old", "ts": (START - timedelta(minutes=5)).isoformat(), "metrics": {"value": 1}}
    for batch in ([newer], [older]):
        await fleet.store(message(*batch, device=device))
        await fleet.worker.checkpoint.advance()
    assert [(item["device_id"], item["metrics"]) for item in await fleet.items("/latest")] == [
        (device, {"value": 2})
    ]
    assert (await fleet.get("/latest", organization=uuid4())).json()["items"] == []
    assert await fleet.items("/latest", device_id=str(uuid4())) == []


async def test_latest_readings_come_in_pages(fleet: Any) -> None:
    devices = [await fleet.device() for _ in range(5)]
    for device in devices:
        await fleet.readings(device, 1, start=START)
    await fleet.worker.checkpoint.advance()
    found = [item["device_id"] for item in await fleet.all_items("/latest", page_size=2)]
    assert sorted(found) == sorted(devices)
    named = [item["device_id"] for item in await fleet.all_items("/latest", page_size=2, device_id=devices)]
    assert named == found


async def test_figures_count_devices_and_who_is_online(fleet: Any, events: Any) -> None:
    heard, gone = await fleet.device(), uuid4()
    await fleet.device()
    await fleet.tell(events.registered(gone, fleet.organization), events.deleted(gone, fleet.organization))
    await fleet.readings(heard, 1, 2, start=START)
    await fleet.worker.checkpoint.advance()
    numbers = (await fleet.get("/stats")).json()
    assert (numbers["devices"], numbers["online"], numbers["readings_total"]) == (2, 1, 2)
    assert numbers["alerts_open"] == 0


async def test_a_device_that_was_never_heard_has_no_data_and_one_of_others_does_not_exist(fleet: Any) -> None:
    silent, foreign = await fleet.device(), await fleet.device(uuid4())
    assert await fleet.items(f"/data/{silent}") == []
    for device in (foreign, str(uuid4())):
        answer = await fleet.get(f"/data/{device}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "DEVICE_NOT_FOUND")
        assert (await fleet.get(f"/data/{device}", interval="1m")).status_code == 404


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-01-01T00:00:00"}, "from"),
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "from"),
        ({"page_size": 0}, "page_size"),
        ({"page_size": 1001}, "page_size"),
        ({"cursor": "!!"}, "cursor"),
        ({"cursor": "WyJhIl0"}, "cursor"),
        ({"cursor": "WzFlOTksMV0"}, "cursor"),
        ({"metric": "a.b"}, "metric"),
        ({"metric": "$where"}, "metric"),
        ({"order": "up"}, "order"),
        ({"interval": "5x"}, "interval"),
        ({"interval": "0m"}, "interval"),
        ({"interval": "999999d"}, "interval"),
        ({"interval": "5m", "agg": "median"}, "agg"),
        ({"agg": "avg"}, "agg"),
    ],
)
async def test_impossible_questions_are_refused_naming_the_parameter(
    fleet: Any, query: dict[str, Any], field: str
) -> None:
    device = await fleet.device()
    answer = await fleet.get(f"/data/{device}", **query)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["details"]["fields"][0]["field"].split(".")[0] == field


async def test_presence_tells_who_was_heard_and_keeps_what_was_not_confirmed(
    fleet: Any, message: Any
) -> None:
    from fleet_kit.messaging import PublishFailed
    from monitoring_service.presence.service import PresencePublisher

    class Broker:
        def __init__(self) -> None:
            self.events: list[Any] = []
            self.away = True

        async def publish_event(self, event: Any) -> None:
            if self.away:
                raise PublishFailed("away")
            self.events.append(event)

    broker = Broker()
    presence = PresencePublisher(broker)  # type: ignore[arg-type]
    device, organization = str(uuid4()), str(uuid4())
    moments = [datetime.now(UTC), datetime.now(UTC) + timedelta(seconds=1)]
    for moment in reversed(moments):
        presence.on_arrival([{"organization_id": organization, "device_id": device, "received_at": moment}])
    with pytest.raises(PublishFailed):
        await presence.flush()
    broker.away = False
    await presence.flush()
    await presence.flush()
    assert len(broker.events) == 1
    seen = broker.events[0].data.devices[0]
    assert (str(seen.id), seen.last_seen) == (device, moments[1])
