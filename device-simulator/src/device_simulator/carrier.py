"""Tells the carrier's sandbox what devices sent, so that both count the same bytes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx

from device_simulator.simcards import SimCards
from device_simulator.tls import tls_context
from fleet_contracts.telemetry import Reading, format_ts

log = logging.getLogger(__name__)

METRIC = "data_bytes"
MOST_ENTRIES = 10_000
"""Entries of one post; the sandbox takes twice as many."""
PAUSE = 0.5


class CarrierUsage:
    """Collects the bytes of accepted readings by SIM, and books them at the sandbox.

    `dated`: each reading counts for its own moment, otherwise for the moment of booking. What the sandbox may
    have booked without saying so is not sent again.
    """

    def __init__(self, url: str, cards: SimCards, *, dated: bool) -> None:
        self._url, self._cards, self._dated = f"{url.rstrip('/')}/control/usage", cards, dated
        self._entries: list[dict[str, Any]] = []
        self.booked = self.refused = self.unsure = self.without_sim = 0

    def accepted(self, device_id: str, readings: Iterable[Reading]) -> None:
        """Readings that the platform has accepted."""
        iccid = self._cards.of(device_id)
        for reading in readings:
            used = int(reading.metrics.get(METRIC, 0))
            if used <= 0:
                continue
            if iccid is None:
                self.without_sim += used
                continue
            entry: dict[str, Any] = {"iccid": iccid, "bytes": used}
            self._entries.append(entry | ({"at": format_ts(reading.ts)} if self._dated else {}))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Book what is collected while inside the context, and the rest when it ends.

        A request is never cut off: the bytes in it would be booked a second time.
        """
        ended = asyncio.Event()
        booking = asyncio.create_task(self._book_until(ended))
        try:
            yield
        finally:
            ended.set()
            await booking
            await self.flush()

    async def _book_until(self, ended: asyncio.Event) -> None:
        async with httpx.AsyncClient(verify=tls_context(), timeout=30) as http:
            while not ended.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), PAUSE)
                await self._book(http)

    async def flush(self) -> None:
        """Book the rest, and say what became of all."""
        async with httpx.AsyncClient(verify=tls_context(), timeout=30) as http:
            await self._book(http)
        log.info(
            "bytes at the carrier: booked %d, refused %d, unsure %d, of devices without SIM %d",
            self.booked,
            self.refused,
            self.unsure,
            self.without_sim,
        )

    async def _book(self, http: httpx.AsyncClient) -> None:
        while self._entries:
            part = self._entries[:MOST_ENTRIES]
            wanted = sum(entry["bytes"] for entry in part)
            try:
                answer = await http.post(self._url, json=part)
                answer.raise_for_status()
            except httpx.ConnectError:
                log.warning("the carrier's sandbox is unavailable; its usage waits")
                return
            except httpx.HTTPError as error:
                log.warning("usage may be missing at the carrier: %s", error)
                self.unsure += wanted
            else:
                booked = int(answer.json()["bytes"])
                self.booked += booked
                self.refused += wanted - booked
            del self._entries[: len(part)]
