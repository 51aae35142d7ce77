"""The rules of events: kept once however they come, asked for again as far back as they are not known."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.keyset_pagination import PageResult
from fleet_kit.pagination import PageParams
from fleet_kit.scope import EVERYTHING, Scope
from sim_service.carrier.base import Carrier
from sim_service.carrier.freshness import FALLBACK_ERRORS, Known
from sim_service.carrier.models import CarrierEvent, Priority
from sim_service.inventory.releases.queries import last_release_by_others
from sim_service.inventory.sims.service import SimService
from sim_service.lifecycle.network_events.models import SimEvent, SimEventState
from sim_service.lifecycle.network_events.repository import WRITTEN, NetworkEventRepository
from sim_service.lifecycle.network_events.schemas import EventQuery


@dataclass(frozen=True, slots=True)
class FoundEvents:
    """A page of events; `synced_at` None: the carrier was never asked for them."""

    found: PageResult[SimEvent]
    synced_at: datetime | None


class NetworkEventService:
    """Events as one organisation sees them. `fresh`: seconds for which `latest` does not ask again."""

    def __init__(self, sessions: Sessions, scope: Scope, carrier: Carrier, *, fresh: float = 0) -> None:
        self._sessions, self._scope, self._carrier = sessions, scope, carrier
        self._fresh = timedelta(seconds=fresh)

    @staticmethod
    async def store(session: AsyncSession, events: Sequence[CarrierEvent]) -> int:
        """Keep events of any SIMs, each once however often it comes; how many were new."""
        if not events:
            return 0
        once = {(event.iccid, event.id): event for event in events}
        return await NetworkEventRepository(session, EVERYTHING).store(
            [_row(event) for event in once.values()]
        )

    async def check(self, iccid: str) -> None:
        """Raise NotFound unless the SIM is in scope."""
        async with self._sessions() as session:
            await SimService(session, self._scope).get(iccid)

    async def find(self, iccid: str, wanted: EventQuery, paging: PageParams) -> FoundEvents:
        async with self._sessions() as session:
            await SimService(session, self._scope).get(iccid)
            events = NetworkEventRepository(session, self._scope)
            found = await events.page(iccid, wanted, paging)
            state = await events.state(iccid)
        return FoundEvents(found, state.synced_at if state else None)

    async def sync(self, iccid: str, priority: Priority) -> int:
        """Ask the carrier for everything that is not known yet; how many events were new.

        What happened while somebody else had the SIM is theirs: it is not taken over. Each page is kept as
        it comes; how far events are known is noted at the end, so that a sync that breaks off leaves no gap.
        """
        async with self._sessions() as session:
            state = await NetworkEventRepository(session, EVERYTHING).state(iccid)
        asked_at, stored = datetime.now(UTC), 0
        newest = known_to = state.known_to if state else None
        async for events in self._unknown(iccid, known_to, priority):
            newest = max(filter(None, (newest, *(event.at for event in events))))
            async with self._sessions.begin() as session:
                _, start = await self._whose(session, iccid, state)
                stored += await self.store(
                    session, [one for one in events if start is None or one.at > start]
                )
        async with self._sessions.begin() as session:
            owner, start = await self._whose(session, iccid, state)
            await NetworkEventRepository(session, EVERYTHING).note(
                iccid, organization_id=owner, synced_at=asked_at, known_to=newest, not_before=start
            )
        return stored

    async def latest(self, iccid: str, limit: int) -> Known[Sequence[SimEvent]] | None:
        """The newest events, asked for again where that is long ago; None: nothing known, nobody to ask.

        Raises NotFound.
        """
        failure = None
        async with self._sessions() as session:
            await SimService(session, self._scope).get(iccid)
            state = await NetworkEventRepository(session, self._scope).state(iccid)
        if state is None or datetime.now(UTC) - state.synced_at >= self._fresh:
            try:
                await self.sync(iccid, Priority.INTERACTIVE)
            except FALLBACK_ERRORS as error:
                failure = error
        async with self._sessions() as session:
            events = NetworkEventRepository(session, self._scope)
            rows = await events.newest(iccid, limit)
            state = await events.state(iccid)
        as_of = state.synced_at if state else (rows[0].at if rows else None)
        return None if as_of is None else Known(rows, as_of, failure)

    async def _unknown(
        self, iccid: str, known_to: datetime | None, priority: Priority
    ) -> AsyncIterator[list[CarrierEvent]]:
        """Pages from the newest back to what an earlier sync has seen, or to one that holds nothing new."""
        seen: set[str] = set()
        for page in count(1):
            found = await self._carrier.events(iccid, page, priority=priority)
            if (names := {event.id for event in found}) <= seen:
                return
            yield found
            if known_to is not None and min(event.at for event in found) < known_to:
                return
            seen = names

    async def _whose(
        self, session: AsyncSession, iccid: str, state: SimEventState | None
    ) -> tuple[UUID | None, datetime | None]:
        """The SIM's owner, locked, and until when events are not theirs (None: nobody else had it)."""
        owner = (await SimService(session, self._scope).get(iccid, for_update=True)).organization_id
        by_syncs = state.not_before_for(owner) if state else None
        ends = by_syncs, await last_release_by_others(session, iccid, owner)
        return owner, max((end for end in ends if end is not None), default=None)


def _row(event: CarrierEvent) -> dict[str, object]:
    values: dict[str, object] = {name: getattr(event, name) for name in WRITTEN}
    return values | {"at": event.at.isoformat()}
