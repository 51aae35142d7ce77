"""The live page as tests drive it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
from playwright.async_api import ConsoleMessage, Page, expect

Start = Callable[..., AbstractAsyncContextManager["Stage"]]


class Stage:
    """An open page, and the hand that steers what is behind it."""

    def __init__(self, page: Page, url: str, fake: httpx.AsyncClient) -> None:
        self.page, self.url, self._fake = page, url, fake
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._heard)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    async def steer(self, what: str, **body: Any) -> dict[str, Any]:
        answer: dict[str, Any] = (await self._fake.post(f"/test/{what}", json=body)).json()
        return answer

    async def login(self, password: str = "right") -> None:
        await self.page.get_by_label("E-mail").fill("maria@acme.example")
        await self.page.get_by_label("Password").fill(password)
        await self.page.get_by_role("button", name="Log in").click()

    async def open(self) -> None:
        await self.login()
        await expect(self.page.locator("#connection")).to_have_text("Live")
        await expect(self.page.locator("#device-rows tr").first).to_be_visible()

    def row(self, name: str) -> Any:
        return self.page.locator("#device-rows tr").filter(has_text=name)
