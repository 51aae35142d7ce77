"""The control page in a browser."""

import shutil

import pytest
from playwright.async_api import Page, async_playwright, expect

from .support import Client, iccid

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")]


async def test_the_page_drives_usage_and_faults(served: Client) -> None:
    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page: Page = await browser.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        await page.goto(str(served.base_url))
        await expect(page.locator("#overview")).to_contain_text("SIMs total")
        await page.get_by_role("button", name="Send", exact=True).click()
        await expect(page.locator("#message")).to_contain_text('"booked":1')
        await page.get_by_role("button", name="Add", exact=True).click()
        await expect(page.locator("#faults tr")).to_have_count(1)
        await page.get_by_role("button", name="Remove").click()
        await expect(page.locator("#faults tr")).to_have_count(0)
        await browser.close()
    assert complaints == []
    truth = (await served.control("GET", f"/sims/{iccid(0)}")).json()
    assert truth["today"]["sent"] == 100_000
