"""HTTP inside the fleet: is everything well? The gateway's /health asks here."""

import asyncio
from collections.abc import Mapping

import httpx
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from fleet_kit.health import Check, run_checks

router = APIRouter()


@router.get("/fleet-health")
async def fleet_health(request: Request) -> JSONResponse:
    """200 when every service is well, else 503; both name each service."""
    state = request.app.state
    own, others = await asyncio.gather(
        run_checks(state.checks), run_checks(_others(state.http, state.neighbours))
    )
    checks = {"monitoring-service": "ok" if own[0] else "unavailable", **others[1]}
    well = own[0] and others[0]
    body = {"status": "ok" if well else "unavailable", "checks": checks}
    return JSONResponse(body, 200 if well else 503)


def _others(http: httpx.AsyncClient, neighbours: Mapping[str, str]) -> dict[str, Check]:
    def ask(url: str) -> Check:
        async def check() -> None:
            (await http.get(f"{url}/health")).raise_for_status()

        return check

    return {name: ask(url) for name, url in neighbours.items()}
