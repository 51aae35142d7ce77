"""HTTP: what the network noted about a SIM."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from fleet_kit.pagination import Paging
from fleet_kit.principal import CurrentUser, Role
from sim_service.carrier.dependencies import AppCarrier
from sim_service.carrier.models import Priority
from sim_service.lifecycle.network_events.schemas import EventOut, EventPage, EventQuery, EventSyncOut
from sim_service.lifecycle.network_events.service import NetworkEventService
from sim_service.platform.dependencies import AppSessions
from sim_service.platform.iccid_path import IccidPath

router = APIRouter(tags=["events"])


async def _events(user: CurrentUser, sessions: AppSessions, carrier: AppCarrier) -> NetworkEventService:
    return NetworkEventService(sessions, user.scope, carrier)


Events = Annotated[NetworkEventService, Depends(_events)]


@router.get("/sims/{iccid}/events")
async def list_events(
    iccid: IccidPath, events: Events, paging: Paging, query: Annotated[EventQuery, Query()]
) -> EventPage:
    """Events of a SIM, newest first."""
    query.check()
    listed = await events.find(iccid, query, paging)
    page = listed.found.to_page(EventOut.model_validate, paging)
    return EventPage(**dict(page), synced_at=listed.synced_at)


@router.post("/sims/{iccid}/events/sync")
async def sync_events(iccid: IccidPath, user: CurrentUser, events: Events) -> EventSyncOut:
    """Ask the carrier for events now; 503 while it is away."""
    await events.check(iccid)
    user.require(Role.OPERATOR)
    stored = await events.sync(iccid, Priority.INTERACTIVE)
    return EventSyncOut(iccid=iccid, stored=stored, synced_at=datetime.now(UTC))
