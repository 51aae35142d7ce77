"""What endpoints take from the running application, as named aliases."""

from typing import Annotated

from fastapi import Depends, Request

from fleet_kit.database import Sessions
from sim_service.cache.service import ReadCache
from sim_service.carrier.base import Carrier
from sim_service.settings import Settings


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


def _carrier(request: Request) -> Carrier:
    carrier: Carrier = request.app.state.carrier
    return carrier


def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


def _cache(request: Request) -> ReadCache:
    cache: ReadCache = request.app.state.cache
    return cache


AppSettings = Annotated[Settings, Depends(_settings)]
AppCarrier = Annotated[Carrier, Depends(_carrier)]
AppCache = Annotated[ReadCache, Depends(_cache)]
AppSessions = Annotated[Sessions, Depends(_sessions)]
"""For what asks the carrier: a short transaction before and one after, none while it waits."""
