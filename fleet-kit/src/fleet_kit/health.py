"""Health: what a process needs, asked with a time limit."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from fastapi import FastAPI
from fastapi.responses import JSONResponse

Check = Callable[[], Awaitable[object]]
"""Raises when what it checks is not well."""

CHECK_SECONDS = 2.0


async def run_checks(checks: Mapping[str, Check]) -> tuple[bool, dict[str, str]]:
    """Ask all at once; each answers `ok` or says what is wrong."""
    answers = await asyncio.gather(*(_ask(check) for check in checks.values()))
    return all(answer == "ok" for answer in answers), dict(zip(checks, answers, strict=True))


async def _ask(check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
    except TimeoutError:
        return "no answer in time"
    except Exception as error:
        return type(error).__name__
    return "ok"


def add_health(app: FastAPI, checks: Callable[[], Mapping[str, Check]]) -> None:
    """Serve `GET /health`: 200 when all checks pass, else 503; both name every check."""

    @app.get("/health", include_in_schema=False)
    async def health() -> JSONResponse:
        well, answers = await run_checks(checks())
        body = {"status": "ok" if well else "unavailable", "checks": answers}
        return JSONResponse(body, 200 if well else 503)
