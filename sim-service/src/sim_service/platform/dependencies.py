"""What endpoints take from the running application, as named aliases."""

from typing import Annotated, Any

from fastapi import Depends, Request

from fleet_kit.database import Sessions
from sim_service.platform.cache.service import ReadCache
from sim_service.platform.subprocess_pool import SubprocessPool
from sim_service.settings import Settings


def from_app(name: str) -> Any:
    """What `main.py` keeps in `app.state` under this name."""

    # A coroutine, as all that endpoints depend on: anything else is called in a thread, at each request.
    async def read(request: Request) -> Any:
        return getattr(request.app.state, name)

    return Depends(read)


AppSettings = Annotated[Settings, from_app("settings")]
AppCache = Annotated[ReadCache, from_app("cache")]
AppSpreadsheets = Annotated[SubprocessPool, from_app("spreadsheets")]
AppSessions = Annotated[Sessions, from_app("sessions")]
"""For what asks the carrier: a short transaction before and one after, none while it waits."""
