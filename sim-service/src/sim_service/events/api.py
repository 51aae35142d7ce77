"""HTTP: what the network noted about a SIM."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from fleet_kit.pagination import Paging
from fleet_kit.principal import CurrentUser, Role
from sim_service.carrier.facts import Priority
from sim_service.events.schemas import EventOut, EventPage, EventQuery, EventSyncOut
from sim_service.events.service import EventService
from sim_service.iccid_path import IccidPath
from sim_service.resources import AppCarrier, AppSessions

router = APIRouter(tags=["events"])


def _events(user: CurrentUser, sessions: AppSessions, carrier: AppCarrier) -> EventService:
    return EventService(sessions, user.scope, carrier)


Events = Annotated[EventService, Depends(_events)]


@router.get("/sims/{iccid}/events")
async def list_events(
    iccid: IccidPath, events: Events, paging: Paging, query: Annotated[EventQuery, Query()]
) -> EventPage:
    """Events of a SIM, newest first."""
    listed = await events.find(iccid, query.filter(), paging)
    page = listed.found.shown_as(EventOut.model_validate, paging)
    return EventPage(**dict(page), synced_at=listed.synced_at)


@router.post("/sims/{iccid}/events/sync")
async def sync_events(iccid: IccidPath, user: CurrentUser, events: Events) -> EventSyncOut:
    """Ask the carrier for events now; 503 while it is away."""
    await events.check(iccid)
    user.require(Role.OPERATOR)
    stored = await events.sync(iccid, Priority.PEOPLE)
    return EventSyncOut(iccid=iccid, stored=stored, synced_at=datetime.now(UTC))
