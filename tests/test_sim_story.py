"""Two simulated weeks: devices send, carrier and platform count the same bytes, the end of a quota is
foretold, the policy buys once, and the live feed tells of it.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from device_simulator.profiles import DevicesFile, Sensors, blueprints

from .sim_support import Carrier, becomes, job_done, own_sims, platform_admin, post

pytestmark = pytest.mark.fleet
Join = Callable[[], Awaitable[Any]]

DEVICES, DAYS, SEED, HOUR = 3, 14, 5, 3600
RATE, BATCH = 24, 12
MEGABYTE = 1024 * 1024
GRANTED = 500 * MEGABYTE
PROFILE = """
profiles:
  steady:
    type: steady
    signals:
      - {kind: sessions, metric: data_bytes, idle_seconds: 1800, active_seconds: 1800,
         bytes_per_second: 600, background: 1}
"""
"""About 25 MB a day, so that 500 MB last for three weeks."""


async def simulate(fleet: dict[str, Any], person: Any, folder: Path, start: datetime) -> list[dict[str, Any]]:
    """Let two weeks pass up to now, a reading an hour; what became of each reading."""
    access = folder / "access.json"
    access.write_text(
        json.dumps(fleet | {"demo_email": person.email, "demo_password": "correct horse battery"})
    )
    access.chmod(0o600)
    (folder / "devices.yaml").write_text(PROFILE)
    options = {
        "--access": access, "--config": folder / "devices.yaml", "--prefix": "story", "--seed": SEED,
        "--devices": DEVICES, "--rate": RATE, "--batch": BATCH, "--ids-file": folder / "ids.jsonl",
        "--start": start.isoformat(), "--speed": RATE * HOUR, "--sandbox-url": fleet["sandbox_url"],
    }  # fmt: skip
    arguments = [str(part) for pair in options.items() for part in pair]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "device_simulator", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, said.decode()
    rows = [json.loads(line) for line in (folder / "ids.jsonl").read_text().splitlines()]
    assert all(row["accepted"] for row in rows), said.decode()
    return rows


class Story:
    """The devices of one organisation, their SIMs, and what each says it has sent."""

    def __init__(self, person: Any, carrier: Carrier, folder: Path, start: datetime) -> None:
        self.person, self.carrier, self.folder, self.start = person, carrier, folder, start
        self.heard: list[dict[str, Any]] = []
        self.cards: dict[str, tuple[str, int]] = {}
        """By ICCID: the device, and its number among the simulated ones."""

    async def meet(self) -> None:
        """Learn which device has which SIM."""
        devices = (await self.person.get("/devices/", page_size=100))["items"]
        self.cards = {
            device["iccid"]: (device["id"], int(device["name"].rsplit("-", 1)[1]) - 1) for device in devices
        }
        assert len(self.cards) == DEVICES

    async def sent(self, iccid: str) -> dict[str, int]:
        """Bytes by UTC day, by the readings that the platform has stored."""
        days: Counter[str] = Counter()
        for reading in await self._readings(self.cards[iccid][0]):
            days[datetime.fromisoformat(reading["ts"]).date().isoformat()] += int(
                reading["metrics"]["data_bytes"]
            )
        return dict(days)

    async def _readings(self, device_id: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        query = {"page_size": 200, "from": self.start.isoformat()}
        while True:
            page = await self.person.get(f"/monitoring/data/{device_id}", **query)
            items += page["items"]
            if not page["next_cursor"]:
                return items
            query |= {"cursor": page["next_cursor"]}

    def truly_exhausted_on(self, iccid: str, hours: int) -> date:
        """The day on which the device, going on as it does, sends the last byte of its quota."""
        file = DevicesFile.read(self.folder / "devices.yaml")
        sensors = Sensors(blueprints(file, DEVICES, "story")[self.cards[iccid][1]], SEED, 1)
        left, hour = GRANTED, 0
        while left > 0:
            left -= int(sensors.read(HOUR)["data_bytes"])
            hour += 1
            assert hour > hours or left > 0, "the quota should outlast the two weeks"
        return (self.start + timedelta(hours=hour)).date()

    def told(self, event: str, iccid: str) -> int:
        return sum(item["type"] == event and item["iccid"] == iccid for item in self.heard)

    async def quota(self, iccid: str) -> dict[str, Any]:
        return dict(await self.person.get(f"/sims/{iccid}/quota/data"))

    async def use(self, iccid: str, megabytes: float) -> None:
        """The device sends so much more."""
        await self.carrier.call("POST", "/usage", {"iccid": iccid, "bytes": round(megabytes * MEGABYTE)})


@pytest.fixture
async def story(join: Join, listen: Any, fleet: dict[str, Any], carrier: Carrier, tmp_path: Path) -> Story:
    """Two weeks have passed, and somebody watches the live feed."""
    person = await join()
    await own_sims(person, await platform_admin(fleet, person), carrier, DEVICES)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    story = Story(person, carrier, tmp_path, today - timedelta(days=DAYS))
    watcher = await listen(person.tokens["access_token"])
    watcher.client.on("sim", story.heard.append)
    assert (await watcher.subscribe())["ok"]
    rows = await simulate(fleet, person, tmp_path, story.start)
    assert len(rows) >= DEVICES * DAYS * 24 - BATCH
    await story.meet()
    return story


async def test_two_weeks_of_usage_agree_are_foretold_from_and_paid_for_once(story: Story) -> None:
    first, last = story.start.date(), datetime.now(UTC).date()
    for iccid in story.cards:
        await _agrees(story, iccid, first, last)
    for iccid in story.cards:
        await _has_forecast(story, iccid)
    await _policy_buys_once(story)


async def _agrees(story: Story, iccid: str, first: date, last: date) -> None:
    """The devices' readings, the carrier's truth and the platform's usage, day by day, to the byte."""

    async def stored() -> dict[str, int] | None:
        days = await story.sent(iccid)
        return days if sum(days.values()) == sum(true.values()) else None

    truth = await story.carrier.call("GET", "/usage", iccid=iccid, first=first, last=last)
    true = {day["day"]: day["sent"] + day["received"] for day in truth if day["sent"] + day["received"]}
    assert len(true) >= DAYS
    assert await becomes(stored) == true
    body = {"from": first.isoformat(), "to": last.isoformat()}
    asked = await story.person.call("POST", f"/sims/{iccid}/usage/sync", json=body)
    assert asked.status_code == 200, asked.text
    kept = (await story.person.get(f"/sims/{iccid}/usage", **body))["items"]
    assert {day["day"]: day["data_bytes"] for day in kept if day["data_bytes"]} == true


async def _has_forecast(story: Story, iccid: str) -> None:
    """The day on which the device will truly use up its quota lies in the band."""
    asked = await story.person.call("POST", "/jobs", json={"kind": "forecast_quotas"})
    assert asked.status_code == 202, asked.text
    assert (await job_done(story.person, asked.json()["id"]))["state"] == "succeeded"
    forecast = (await story.quota(iccid))["forecast"]
    assert forecast["basis_days"] == DAYS
    true = story.truly_exhausted_on(iccid, DAYS * 24)
    earliest, latest = (date.fromisoformat(forecast[name]) for name in ("earliest", "latest"))
    assert earliest <= true <= latest, forecast
    assert latest - earliest <= timedelta(days=4), "a band that says something"


async def _policy_buys_once(story: Story) -> None:
    """One SIM falls below its threshold and gets volume once, another to nothing; each is told once."""
    kept, dry, quiet = story.cards
    policy = {
        "name": "keep it going",
        "selector": {"by": "iccids", "iccids": [kept, quiet]},
        "trigger": {"remaining_below_percent": 20},
        "budget_per_month": "100.00",
        "payment_method": "credit_card",
    }
    created = await post(story.person, "/topup-policies", policy)
    assert created.status_code == 201, created.text
    path = f"/topup-policies/{created.json()['id']}"
    await _evaluate(story, path)
    assert [await story.carrier.top_ups(iccid) for iccid in story.cards] == [0, 0, 0]
    await story.use(kept, (await story.quota(kept))["remaining"] - 40)
    await story.use(dry, (await story.quota(dry))["remaining"])
    await becomes(lambda: _state(story, kept, "low"), timeout=90)
    await becomes(lambda: _state(story, dry, "exhausted"), timeout=90)
    for _ in range(3):
        await _evaluate(story, path)
    low, exhausted, booked = "sim.quota_low", "sim.quota_exhausted", "sim.topped_up"
    for event, iccid in ((low, kept), (low, dry), (exhausted, dry), (booked, kept)):
        await becomes(partial(_received, story, event, iccid))
    await becomes(lambda: _state(story, kept, "ok"), timeout=90)
    await _evaluate(story, path)
    assert [await story.carrier.top_ups(iccid) for iccid in story.cards] == [1, 0, 0]
    (bought,) = (await story.person.get(f"/sims/{kept}/topups"))["items"]
    assert (bought["state"], bought["policy_id"]) == ("booked", created.json()["id"])
    told = Counter((item["type"], item["iccid"]) for item in story.heard)
    assert {count for (event, _), count in told.items() if "quota" in event or "topped" in event} == {1}
    assert not any(iccid == quiet and "quota" in event for event, iccid in told)


async def _evaluate(story: Story, path: str) -> None:
    asked = await story.person.call("POST", f"{path}/evaluate")
    assert asked.status_code == 202, asked.text
    assert (await job_done(story.person, asked.json()["id"]))["state"] == "succeeded"


async def _state(story: Story, iccid: str, state: str) -> bool:
    return bool((await story.quota(iccid))["state"] == state)


async def _received(story: Story, event: str, iccid: str) -> bool:
    return story.told(event, iccid) == 1
