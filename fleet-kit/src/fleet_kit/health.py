"""Health: what a process needs, asked with a time limit."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from fleet_kit.shared_call import SharedCall

Check = Callable[[], Awaitable[object]]
"""Raises when what it checks is not well."""

Status = Literal["ok", "degraded", "unavailable"]
Report = tuple[Status, dict[str, str]]
"""The status of the whole, and what each check says."""

CHECK_SECONDS = 2.0
REMEMBERED_SECONDS = 1.0
"""Whoever asks within so long after an answer gets the same: asking costs others nothing."""
_SEVERITY: tuple[Status, ...] = ("ok", "degraded", "unavailable")


class Unwell(Exception):
    """Raised by a check: its text is told to who asks for the health. Of other exceptions it is the type."""


class Degraded(Unwell):
    """It works, but an operator has to look: a restart would not help, so the answer stays 200."""


async def run_checks(checks: Mapping[str, Check]) -> Report:
    """Ask all at once; each answers `ok` or says what is wrong. The status is that of the worst."""
    answers = await asyncio.gather(*(_ask(check) for check in checks.values()))
    texts = (text for _, text in answers)
    return worst_of(*(status for status, _ in answers)), dict(zip(checks, texts, strict=True))


def worst_of(*statuses: Status) -> Status:
    """The status of a whole; `ok` without parts."""
    return max(statuses, key=_SEVERITY.index, default="ok")


async def _ask(check: Check) -> tuple[Status, str]:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
    except TimeoutError:
        return "unavailable", "no answer in time"
    except Degraded as problem:
        return "degraded", f"degraded: {problem}"
    except Unwell as problem:
        return "unavailable", str(problem)
    except Exception as error:
        return "unavailable", type(error).__name__
    return "ok", "ok"


def health_response(status: Status, checks: Mapping[str, str]) -> JSONResponse:
    """200 unless unavailable, which is 503; both name every check."""
    return JSONResponse({"status": status, "checks": checks}, 503 if status == "unavailable" else 200)


def add_health(
    app: FastAPI,
    checks: Callable[[], Mapping[str, Check]],
    *,
    remembered_seconds: float = REMEMBERED_SECONDS,
) -> None:
    """Serve `GET /health`: one round of the checks at a time, its answer for all who ask meanwhile."""

    async def ask() -> Report:
        return await run_checks(checks())

    report = SharedCall(ask, seconds=remembered_seconds)

    @app.get("/health", include_in_schema=False)
    async def health() -> JSONResponse:
        return health_response(*await report())
