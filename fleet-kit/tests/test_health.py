import asyncio

import httpx
import pytest
from fastapi import FastAPI

from fleet_kit.health import add_health

pytestmark = pytest.mark.attack


async def test_many_who_ask_for_the_health_cost_one_round_of_its_checks() -> None:
    asked, app = 0, FastAPI()

    async def check() -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)

    add_health(app, lambda: {"counted": check}, remembered_seconds=3600)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answers = await asyncio.gather(*(client.get("/health") for _ in range(40)))
        answers.append(await client.get("/health"))
    assert {answer.status_code for answer in answers} == {200}
    assert asked == 1
