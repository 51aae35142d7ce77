"""The live page in Chromium, in front of services that the test steers."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import CDPSession, expect

from .page_support import Start

pytestmark = pytest.mark.browser

AUDIT = Path(__file__).with_name("audit.js").read_text(encoding="utf-8")
FIRST = "1\N{EN DASH}50"
LONG_LINE = re.compile(r"(L[0-9. ]+){150}")


async def changes(locator: Any) -> None:
    """Wait until the text of `locator` differs from what it is now."""
    before = await locator.inner_text()
    await expect(locator).not_to_have_text(before)


async def test_a_wrong_password_is_said_and_nothing_is_shown(stage: Start) -> None:
    async with stage() as s:
        await s.page.get_by_role("button", name="Log in").click()
        await expect(s.page.get_by_role("alert")).to_have_text("Enter your e-mail and your password.")
        await s.login("wrong")
        await expect(s.page.get_by_role("alert")).to_have_text("E-mail or password is wrong.")
        await expect(s.page.locator("#fleet")).to_be_hidden()


async def test_values_and_figures_change_live(stage: Start) -> None:
    async with stage() as s:
        await s.open()
        await changes(s.row("meter-0001").locator(".chip b").first)
        await changes(s.page.locator("#stat-total"))
        await expect(s.page.locator("#stat-devices")).to_have_text("30")
        await expect(s.page.locator("#stat-rate")).not_to_have_text("0.0")
        assert s.errors == []


@pytest.mark.parametrize("name", ["constructor", "a_constructor", "toString", "__proto__", "a___proto__"])
async def test_a_metric_may_have_any_name(stage: Start, name: str) -> None:
    """Names of JavaScript's own properties are nothing but names."""
    async with stage() as s:
        await s.open()
        written = "[metrics.label(name), metrics.format(name, 1.5)]"
        script = f'async (name) => {{ const metrics = await import("/metrics.js"); return {written}; }}'
        label, text = await s.page.evaluate(script, name)
        assert text == "1.50"
        assert not {"function", "object"} & set(label.split())


async def test_search_filter_and_pages_find_devices(stage: Start) -> None:
    async with stage(devices=230) as s:
        await s.open()
        rows = s.page.locator("#device-rows tr")
        await expect(s.page.locator("#range")).to_have_text(f"{FIRST} of 230")
        await s.page.get_by_role("button", name="Next").click()
        await expect(s.page.locator("#range")).to_have_text("51\N{EN DASH}100 of 230")
        await s.page.get_by_label("Search by name, type or id").fill("router-011")
        await expect(rows).to_have_count(3)
        await s.page.get_by_label("Search by name, type or id").fill("")
        await s.page.get_by_label("Type", exact=True).select_option("tracker")
        await expect(s.page.locator("#range")).to_have_text(f"{FIRST} of 58")
        await s.page.get_by_role("radio", name="Offline").check()
        await expect(s.page.locator("#device-rows .status").first).to_have_text("Offline")
        await s.page.get_by_label("Search by name, type or id").fill("nothing like it")
        await expect(s.page.locator("#empty")).to_have_text(
            "No device matches. Change the search or the filter."
        )


async def test_the_chart_shows_history_and_goes_on_live(stage: Start) -> None:
    async with stage(devices=5) as s:
        await s.open()
        await s.page.get_by_role("button", name="tracker-0000").click()
        line = s.page.locator("#chart .line")
        await expect(line).to_have_attribute("d", LONG_LINE)
        before = await line.get_attribute("d")
        await expect(line).not_to_have_attribute("d", before or "")
        await s.page.get_by_label("Metric").select_option("battery_percent")
        await expect(s.page.locator("#chart svg")).to_have_attribute("aria-label", "Battery of tracker-0000")
        await s.page.get_by_role("radio", name="24 h").check()
        await expect(s.page.locator("#chart-caption")).to_contain_text("lowest")
        await expect(s.page.locator("#values dt")).to_have_count(5)
        assert s.errors == []


async def test_a_device_that_never_reported_says_so(stage: Start) -> None:
    async with stage(devices=10) as s:
        await s.open()
        await s.page.get_by_role("button", name="meter-0009").click()
        await expect(s.page.locator("#chart .message")).to_have_text("No readings in this time span.")
        await expect(s.page.get_by_label("Metric")).to_be_hidden()


async def test_a_lost_connection_shows_and_what_was_missed_comes_after(stage: Start) -> None:
    async with stage(devices=5) as s:
        await s.open()
        await s.steer("drop")
        await expect(s.page.locator("#connection")).to_have_attribute("data-state", "reconnecting")
        await expect(s.page.locator("#connection")).to_have_text("Reconnecting…")
        await expect(s.page.locator("#connection")).to_have_text("Live")
        await changes(s.row("meter-0001").locator(".chip b").first)
        await expect(s.page.locator("#notice")).to_be_hidden()


async def test_a_gap_in_the_feed_is_said(stage: Start) -> None:
    async with stage(devices=5) as s:
        await s.open()
        await s.steer("skip")
        await expect(s.page.locator("#notice")).to_contain_text("Some readings were missed")
        await s.page.get_by_role("button", name="Dismiss this notice").click()
        await expect(s.page.locator("#notice")).to_be_hidden()


async def test_a_token_is_renewed_and_a_revoked_session_ends(stage: Start) -> None:
    async with stage() as s:
        await s.steer("short")
        await s.open()
        async with asyncio.timeout(60):
            while (await s.steer("ask"))["refreshes"] == 0:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        await expect(s.page.locator("#connection")).to_have_text("Live")
        await s.steer("revoke")
        await s.steer("drop")
        await expect(s.page.get_by_role("alert")).to_have_text("Your session has ended. Log in again.")
        await expect(s.page.locator("#fleet")).to_be_hidden()


async def test_a_reload_keeps_the_session_and_logging_out_ends_it(stage: Start) -> None:
    async with stage() as s:
        await s.open()
        await s.page.reload()
        await expect(s.page.locator("#connection")).to_have_text("Live")
        await s.page.get_by_role("button", name="Log out").click()
        await expect(s.page.get_by_role("button", name="Log in")).to_be_visible()
        await s.page.reload()
        await expect(s.page.get_by_role("button", name="Log in")).to_be_visible()
        assert (await s.steer("ask"))["connections"] == 0


async def test_devices_come_and_change_their_status_live(stage: Start) -> None:
    async with stage(devices=5) as s:
        await s.open()
        await s.steer("mute")
        await s.steer("status", number=1, status="offline")
        await expect(s.row("meter-0001").locator(".status")).to_have_text("Offline")
        await expect(s.page.locator("#count-offline")).to_have_text("1")
        await s.steer("add", name="brand-new")
        await expect(s.row("brand-new")).to_be_visible()
        await s.page.get_by_role("button", name="router-0003").click()
        await s.steer("delete", number=3)
        await expect(s.row("router-0003")).to_have_count(0)
        await expect(s.page.locator("#detail-empty")).to_be_visible()
        assert s.errors == []


async def test_everything_can_be_done_by_keyboard(stage: Start) -> None:
    async with stage(devices=5) as s:
        keyboard = s.page.keyboard
        await expect(s.page.get_by_label("E-mail")).to_be_focused()
        await keyboard.type("maria@acme.example")
        await keyboard.press("Tab")
        await keyboard.type("right")
        await keyboard.press("Enter")
        await expect(s.page.locator("#connection")).to_have_text("Live")
        await s.page.locator(".pick").first.focus()
        await keyboard.press("ArrowDown")
        await keyboard.press("Enter")
        await expect(s.page.get_by_role("heading", name="router-0003")).to_be_visible()
        await s.page.locator("#chart svg").focus()
        await expect(s.page.locator("#chart .line")).to_have_attribute("d", LONG_LINE)
        await keyboard.press("ArrowLeft")
        await expect(s.page.locator("#chart .tip")).to_contain_text("°C")
        await keyboard.press("Escape")
        await expect(s.page.locator("#chart .tip")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_names_headings_and_contrast_are_right(stage: Start, scheme: str) -> None:
    async with stage(devices=12, color_scheme=scheme, reduced_motion="reduce") as s:
        await s.login("wrong")
        await expect(s.page.get_by_role("alert")).to_have_text("E-mail or password is wrong.")
        assert await s.page.evaluate(AUDIT) == []
        await s.open()
        await s.page.get_by_role("button", name="tracker-0000").click()
        await expect(s.page.locator("#chart .line")).to_have_count(1)
        assert await s.page.evaluate(AUDIT) == []
        await s.steer("skip")
        await expect(s.page.locator("#notice")).to_be_visible()
        assert await s.page.evaluate(AUDIT) == []


async def test_a_narrow_screen_needs_no_sideways_scrolling(stage: Start) -> None:
    async with stage(viewport={"width": 390, "height": 800}) as s:
        await s.open()
        await s.page.get_by_role("button", name="tracker-0000").click()
        assert await s.page.evaluate("document.documentElement.scrollWidth") <= 390


async def test_thousands_of_devices_stay_smooth(stage: Start) -> None:
    """At the same rate of readings, a hundred times the devices take less than twice the page's CPU time.

    Seconds alone would say how fast the machine is; of two alternating rounds the better one counts.
    """
    rounds = [(await _page_seconds(stage, 50), await _page_seconds(stage, 5000)) for _ in range(2)]
    few, thousands = (min(seconds) for seconds in zip(*rounds, strict=True))
    assert 0 < thousands < 2 * few


async def _page_seconds(stage: Start, devices: int) -> float:
    """CPU time in seconds that the open page takes in four seconds, at a thousand readings a second."""
    async with stage(devices=devices, rate=1000) as s:
        await s.open()
        await expect(s.page.locator("#range")).to_have_text(f"{FIRST} of {devices:,}")
        await s.page.get_by_role("button", name="meter-0001").click()
        await expect(s.page.locator("#stat-rate")).to_have_text(re.compile(r"1,\d{3}|[1-9]\d\d"))
        # Of the page's own thread, which does not depend on what else the machine does.
        session = await s.page.context.new_cdp_session(s.page)
        await session.send("Performance.enable", {"timeDomain": "threadTicks"})
        before = await _task_seconds(session)
        await s.page.evaluate("() => new Promise((resolve) => setTimeout(resolve, 4000))")
        used = await _task_seconds(session) - before
        assert await s.page.locator("#device-rows tr").count() == 50
        assert s.errors == []
        return used


async def _task_seconds(session: CDPSession) -> float:
    """Seconds of CPU that the page's tasks have taken so far."""
    metrics = (await session.send("Performance.getMetrics"))["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))


async def test_the_api_page_shows_every_service_without_the_internet(stage: Start) -> None:
    specification = {
        "openapi": "3.1.0",
        "info": {"title": "sim-service", "version": "1"},
        "paths": {"/a": {"get": {"summary": "Find all", "responses": {"200": {"description": "ok"}}}}},
    }
    async with stage() as s:
        await s.page.route("**/openapi.json", lambda route: route.fulfill(json=specification))
        await s.page.goto(f"{s.url}/api/v1/sim/docs")
        await expect(s.page.get_by_role("heading", name="sim-service")).to_be_visible()
        await expect(s.page.get_by_text("Find all")).to_be_visible()
        options = await s.page.locator("#select option").all_inner_texts()
        assert options == ["signing", "device", "sim", "monitoring"]
        assert s.errors == []
