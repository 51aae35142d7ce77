"""A SIM's quota from its history to its exhaustion, and the policy that does not let it come to that."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ..billing_support import DAY, agreed_ledgers, pass_time, poll_top_ups, sandbox_control
from ..support import Fleet
from ..usage.test_forecast import MEGABYTE, quota_of, used_before
from .policy_support import a_day_later, evaluate, policy_of


async def use(fleet: Fleet, iccid: str, megabytes: float) -> dict[str, Any]:
    booked: dict[str, Any] = await sandbox_control(
        fleet, "POST", "/usage", json={"iccid": iccid, "bytes": int(megabytes * MEGABYTE)}
    )
    return booked


async def test_the_day_of_exhaustion_lies_in_the_band_that_was_foretold(fleet: Fleet) -> None:
    chance = random.Random(3)
    (iccid,) = await fleet.owned_sims(1)
    await used_before(fleet, 0, [chance.uniform(6, 14) for _ in range(28)])
    told = (await quota_of(fleet, iccid))["forecast"]
    assert told["basis_days"] == 28
    sim, now = fleet.sandbox.sims()[0], datetime.now(UTC)
    day, share = now.date(), 1 - now.hour / 24 - now.minute / 1440
    while sim.data.remaining > 0:
        await use(fleet, iccid, chance.uniform(6, 14) * share)
        await pass_time(fleet, DAY)
        day, share = day + timedelta(days=1), 1.0
    last = day - timedelta(days=1)
    assert date.fromisoformat(told["earliest"]) <= last <= date.fromisoformat(told["latest"])
    assert (date.fromisoformat(told["latest"]) - date.fromisoformat(told["earliest"])).days <= 6


async def test_a_policy_buys_once_before_the_quota_is_used_up(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await used_before(fleet, 0, [16.0] * 28)
    policy = await policy_of(fleet, trigger={"forecast_below_days": 3})
    assert await evaluate(fleet, policy) == {}, "52 MB last for more than three days"
    await use(fleet, iccid, 30)
    await a_day_later(fleet)
    assert await evaluate(fleet, policy) == {"topped_up": 1}
    await pass_time(fleet, 3)
    await poll_top_ups(fleet)
    for _ in range(3):
        await a_day_later(fleet)
        assert await evaluate(fleet, policy) == {}
    assert await agreed_ledgers(fleet) == {iccid: 1}
    told = [event["type"] for event in await fleet.events("sim.")]
    assert told.count("sim.topped_up") == told.count("sim.quota_low") == 1
    assert "sim.quota_exhausted" not in told
