"""/control/requests: what was asked of the carrier's API."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from once_sandbox.deps import CurrentSandbox
from once_sandbox.wire import Json

router = APIRouter(prefix="/control/requests", tags=["Control: requests"])


@router.get("")
async def list_requests(
    sandbox: CurrentSandbox,
    limit: Annotated[int, Query(ge=1, le=5_000)] = 100,
    path: Annotated[str, Query(max_length=200, description="part of the path")] = "",
) -> list[Json]:
    """The last calls, newest first."""
    found = [entry.json() for entry in reversed(sandbox.log.entries) if path in entry.path]
    return found[:limit]


@router.get("/counts")
async def count_requests(sandbox: CurrentSandbox) -> Json:
    """How many calls of each kind, with which status, and the busiest second of each kind."""
    return sandbox.log.summary()


@router.delete("", status_code=204)
async def forget_requests(sandbox: CurrentSandbox) -> Response:
    """Start counting anew."""
    sandbox.log.clear()
    return Response(status_code=204)
