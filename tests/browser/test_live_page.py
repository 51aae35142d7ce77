"""The live page in Chromium against the whole fleet."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from fleet_kit.testing import eventually

pytestmark = [pytest.mark.browser, pytest.mark.fleet]
Join = Callable[[], Awaitable[Any]]
Open = Callable[..., Awaitable[Page]]
AUDIT = Path(__file__).parents[2] / "gateway" / "tests" / "audit.js"
LINE = re.compile(r"(L[0-9. ]+){2}")
SLOW = 60_000
"""Milliseconds within which a fleet on a busy machine has to show what it was told."""


async def named(person: Any, name: str) -> Any:
    """A device under a name that people can read."""
    device = await person.device()
    answer = await person.call("PATCH", f"/devices/{device.id}", json={"name": name})
    assert answer.status_code == 200, answer.text
    return device


def row(page: Page, name: str) -> Any:
    return page.locator("#device-rows tr").filter(has_text=name)


def value(page: Page, name: str) -> Any:
    return row(page, name).locator(".chip b").first


async def changes(locator: Any, timeout: int = SLOW) -> None:
    before = await locator.inner_text(timeout=timeout)
    await expect(locator).not_to_have_text(before, timeout=timeout)


async def test_devices_report_live_in_the_browser(join: Join, open_page: Open, report: Any) -> None:
    person = await join()
    device = await named(person, "pump at the gate")
    await named(person, "pump never heard")
    report(device)
    page = await open_page(person)

    await expect(page.locator("#connection")).to_have_text("Live", timeout=SLOW)
    await expect(row(page, "pump at the gate").locator(".status")).to_have_text("Online", timeout=SLOW)
    await expect(row(page, "pump never heard").locator(".status")).to_have_text("Never seen")
    await changes(value(page, "pump at the gate"))
    await expect(page.locator("#stat-devices")).to_have_text("2", timeout=SLOW)


async def test_the_chart_has_history_and_goes_on(join: Join, open_page: Open, report: Any) -> None:
    person = await join()
    device = await named(person, "pump with a past")
    await device.over_http(
        [
            {"ts": f"{moment}", "metrics": {"temperature": 10.0 + number}}
            for number, moment in enumerate(past())
        ]
    )
    report(device)
    page = await open_page(person)
    await page.get_by_role("button", name="pump with a past").click(timeout=SLOW)

    line = page.locator("#chart .line")
    await expect(line).to_have_attribute("d", LINE, timeout=SLOW)
    await expect(page.locator("#chart-caption")).to_contain_text("lowest 10.0 °C", timeout=SLOW)
    before = await line.get_attribute("d") or ""
    await expect(line).not_to_have_attribute("d", before, timeout=SLOW)
    await page.get_by_label("Metric").select_option("battery_percent")
    await expect(page.locator("#chart-caption")).to_contain_text("now 80 %")


def past() -> list[str]:
    """Times of the last ten minutes, one a minute."""
    from datetime import UTC, datetime, timedelta

    now = datetime.now(UTC)
    return [(now - timedelta(minutes=minute)).isoformat() for minute in range(10, 0, -1)]


async def test_reconnecting_shows_and_everything_comes_back(
    join: Join, open_page: Open, report: Any, control: Any
) -> None:
    person = await join()
    device = await named(person, "pump")
    report(device)
    page = await open_page(person)
    await changes(value(page, "pump"))
    await asyncio.to_thread(control.stop, "services", "monitoring-service")
    try:
        await expect(page.locator("#connection")).to_have_text("Reconnecting…", timeout=SLOW)
        await device.over_http({"metrics": {"while_away": 1}})
    finally:
        await asyncio.to_thread(control.start, "services")

    await expect(page.locator("#connection")).to_have_text("Live", timeout=2 * SLOW)
    await changes(value(page, "pump"))
    await page.get_by_role("button", name="pump").click()
    await expect(page.locator("#values")).to_contain_text("While away", timeout=SLOW)
    await expect(page.locator("#notice")).to_be_hidden()


async def test_another_organisation_sees_nothing(join: Join, open_page: Open, report: Any) -> None:
    mine, other = await join(), await join()
    device = await named(mine, "pump of mine")
    report(device)
    mine_page, other_page = await open_page(mine), await open_page(other)
    await changes(value(mine_page, "pump of mine"))

    await expect(other_page.locator("#connection")).to_have_text("Live", timeout=SLOW)
    await expect(other_page.locator("#empty")).to_have_text("This organisation has no devices yet.")
    await expect(other_page.locator("#device-rows tr")).to_have_count(0)
    await expect(other_page.locator("#stat-rate")).to_have_text("0.0")


async def test_a_device_made_or_deleted_elsewhere_comes_and_goes(
    join: Join, open_page: Open, report: Any
) -> None:
    person = await join()
    page = await open_page(person)
    await expect(page.locator("#empty")).to_be_visible(timeout=SLOW)
    device = await named(person, "late pump")
    report(device)
    await expect(row(page, "late pump")).to_be_visible(timeout=SLOW)
    await person.call("DELETE", f"/devices/{device.id}")
    await expect(row(page, "late pump")).to_have_count(0, timeout=SLOW)


async def test_logging_out_ends_the_session_everywhere(join: Join, open_page: Open) -> None:
    person = await join()
    page = await open_page(person)
    await expect(page.locator("#connection")).to_have_text("Live", timeout=SLOW)
    token = await page.evaluate("JSON.parse(sessionStorage.getItem('fleet.session')).access")
    headers = {"Authorization": f"Bearer {token}"}
    assert (await person.http.get("/auth/me", headers=headers)).status_code == 200
    await page.get_by_role("button", name="Log out").click()

    async def refused() -> bool:
        answer = await person.http.get("/auth/me", headers=headers)
        return bool(answer.status_code == 401)

    await eventually(refused, timeout=90)
    await expect(page.get_by_role("button", name="Log in")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("button", name="Log in")).to_be_visible()


async def test_a_wrong_password_is_said(join: Join, open_page: Open) -> None:
    person = await join()
    page = await open_page()
    await page.get_by_label("E-mail").fill(person.email)
    await page.get_by_label("Password").fill("not this one")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).not_to_be_empty()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_names_headings_and_contrast_are_right(
    join: Join, open_page: Open, report: Any, scheme: str
) -> None:
    person = await join()
    report(await named(person, "pump"))
    page = await open_page(person, color_scheme=scheme, reduced_motion="reduce")
    await page.get_by_role("button", name="pump").click(timeout=SLOW)
    await expect(page.locator("#chart .line")).to_have_attribute("d", LINE, timeout=SLOW)

    assert await page.evaluate(AUDIT.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("service", ["signing", "device", "sim", "monitoring"])
async def test_the_api_page_shows_each_service(open_page: Open, service: str) -> None:
    page = await open_page()
    await page.goto(f"{page.url}docs/?urls.primaryName={service}")

    await expect(page.get_by_role("heading", name=f"{service}-service")).to_be_visible(timeout=SLOW)
    await expect(page.locator(".opblock").first).to_be_visible(timeout=SLOW)
