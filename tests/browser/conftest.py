"""Chromium, pages of the running fleet, and devices that keep reporting."""

import asyncio
import contextlib
import json
import math
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiomqtt
import pytest
from playwright.async_api import Browser, Page


@pytest.fixture
async def open_page(browser: Browser, fleet: dict[str, Any]) -> AsyncIterator[Callable[..., Any]]:
    """Opens the live page, logged in as a person if one is given; script errors fail the test."""
    pages: list[Page] = []
    errors: list[str] = []

    async def visit(person: Any = None, **options: Any) -> Page:
        page = await browser.new_page(locale="en-GB", **options)
        pages.append(page)
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(fleet["gateway_url"])
        if person is not None:
            await page.get_by_label("E-mail").fill(person.email)
            await page.get_by_label("Password").fill("correct horse battery")
            await page.get_by_role("button", name="Log in").click()
        return page

    yield visit
    for page in pages:
        await page.close()
    assert errors == []


@pytest.fixture
async def report() -> AsyncIterator[Callable[[Any], None]]:
    """Lets a device report over MQTT, four times a second, until the test ends."""
    tasks: list[asyncio.Task[None]] = []

    async def keep_reporting(device: Any) -> None:
        async with device.mqtt() as client:
            while True:
                moment = time.time()
                metrics = {"temperature": round(20 + 5 * math.sin(moment), 2), "battery_percent": 80}
                body = {"id": f"r{moment:.3f}", "ts": int(moment * 1000), "metrics": metrics}
                await client.publish(f"devices/{device.id}/telemetry", json.dumps(body), qos=1)
                await asyncio.sleep(0.25)

    yield lambda device: tasks.append(asyncio.create_task(keep_reporting(device)))
    for task in tasks:
        task.cancel()
        # The broker closes the session of a device that a test deletes.
        with contextlib.suppress(asyncio.CancelledError, aiomqtt.MqttError):
            await task
