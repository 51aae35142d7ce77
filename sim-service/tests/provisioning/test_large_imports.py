"""What a large file costs: the API goes on meanwhile, for everybody."""

import asyncio

from ..support import Fleet
from .test_imports import send


async def test_a_file_that_names_one_device_only_takes_linear_time(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(3)
    device_id = await fleet.device()
    unknown = [f"{8900000000000000000 + number}" for number in range(20_000)]
    content = "\n".join(["iccid,device_id", *(f"{iccid},{device_id}" for iccid in [*iccids, *unknown])])
    async with asyncio.timeout(120):
        answer = await send(fleet, content, dry_run=True)
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert (report["rows"], report["good"]) == (20_003, 1)
    reasons = {problem["reason"] for problem in report["problems"]}
    assert reasons == {"no such SIM", f"the device already has the SIM {iccids[0]}"}
