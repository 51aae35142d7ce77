"""Rules of the live feed.

The feed is never pushed from a consumer's memory: each process reads the store in the order of its sequence,
up to where nothing can be stored any more, and sends on what is new. Coming back with a cursor is the same
read, begun earlier. A client that does not keep up is not fed until it has drained, resumes from its own
cursor within the permits of its organisation, and is dropped when it does not drain.
"""

import asyncio
import time
from collections.abc import Hashable, Iterable, Sequence

import structlog
from prometheus_client import Counter

from fleet_contracts.events import TokenRevokedData
from fleet_kit.errors import Unavailable
from monitoring_service.live.clients import LiveClient, group_by_kind
from monitoring_service.live.connections import ClientConnections
from monitoring_service.live.repository import FeedRepository
from monitoring_service.live.resume_limit import ResumeLimit
from monitoring_service.live.schemas import Subscribe
from monitoring_service.live.subscriptions import resolve_target
from monitoring_service.store.client import Document, Store, StoreError
from monitoring_service.store.counts import FEW
from monitoring_service.store.read_limiter import ReadLimiter
from monitoring_service.store.reads import Reads, SharedReads
from monitoring_service.store.sequence import Snapshot, StorageSequence

log = structlog.get_logger(__name__)
DROPPED = Counter("monitoring_live_dropped", "Live clients dropped because they did not read")
SHORT_RANGE = 5_000_000
"""A client less than five seconds behind is fed together with the others."""
_DRAIN_SECONDS = 0.1
_READ_SECONDS = 30.0
"""Longest wait for one read of a client that catches up, the wait for its permit included."""
_EMPTY = 60_000_000
"""In a store that holds nothing yet a client begins a minute ago, in case clocks differ."""


class LiveFeed:
    """The clients of this process and what they get."""

    def __init__(
        self,
        store: Store,
        sequence: StorageSequence,
        transport: ClientConnections,
        resume_limit: ResumeLimit,
        limiter: ReadLimiter,
        *,
        queue_packets: int,
        slow_seconds: float,
    ) -> None:
        self._store, self._sequence, self._transport, self._resume_limit = (
            store,
            sequence,
            transport,
            resume_limit,
        )
        self._repository, self._limiter = FeedRepository(store), limiter
        self._queue_packets, self._slow_seconds = queue_packets, slow_seconds
        self._clients: dict[str, LiveClient] = {}
        self._behind: dict[str, asyncio.Task[None]] = {}

    @property
    def clients(self) -> list[LiveClient]:
        """Everyone who is connected."""
        return list(self._clients.values())

    def client(self, sid: str) -> LiveClient:
        """One who is connected; raises Unavailable where it has left meanwhile."""
        if sid not in self._clients:
            raise Unavailable("this connection has ended")
        return self._clients[sid]

    def add(self, client: LiveClient) -> None:
        """Someone connected."""
        self._clients[client.sid] = client

    def remove(self, sid: str) -> None:
        """Someone left."""
        self._clients.pop(sid, None)
        task = self._behind.pop(sid, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    async def subscribe(self, sid: str, wanted: Subscribe) -> int:
        """Begin or change a subscription; the cursor from which it goes on.

        Raises NotFound for devices and SIMs of others, Unavailable while the store is unavailable.
        """
        client = self.client(sid)
        try:
            scope = client.principal.scope
            target = await resolve_target(self._store, scope, wanted, self._reads_of(client))
            stable = (await self._sequence.snapshot()).stable
        except StoreError as error:
            raise Unavailable("the store is unavailable, try again") from error
        client.devices, client.sims = target.devices, target.sims
        client.organizations = target.organizations
        stable = max(stable, int(time.time() * 1_000_000) - _EMPTY)
        client.cursor = min(int(wanted.since), stable) if wanted.since else stable
        client.caught_up = False
        self._start_catch_up(client)
        return client.cursor

    async def publish_new(self) -> None:
        """Send on what is new to everyone who is near. Raises StoreError."""
        near = [client for client in self.clients if client.caught_up and await self._keeps_up(client)]
        if not near:
            return
        snapshot = await self._sequence.snapshot()
        groups: dict[tuple[str, ...], list[LiveClient]] = {}
        for client in near:
            # Who sees very many organisations costs many queries, for which nobody else is to wait.
            if client.cursor < snapshot.stable - SHORT_RANGE or len(client.organizations) > FEW:
                client.caught_up = False
                self._start_catch_up(client)
            else:
                groups.setdefault(client.organizations, []).append(client)
        for organizations, clients in groups.items():
            await self._advance(organizations, clients, snapshot)

    async def drop_revoked(self, data: TokenRevokedData) -> None:
        """Disconnect whoever uses a revoked token."""
        gone = {data.jti, data.sid} - {None}
        await self.drop(
            one for one in self.clients if {one.principal.token_id, one.principal.session_id} & gone
        )

    async def drop(self, clients: Iterable[LiveClient], *, abort: bool = False) -> None:
        """Disconnect."""
        leaving = list(clients)
        for client in leaving:
            self.remove(client.sid)
        await asyncio.gather(*(self._transport.drop(client.sid, abort=abort) for client in leaving))

    async def _advance(
        self, organizations: tuple[str, ...], clients: Sequence[LiveClient], snapshot: Snapshot
    ) -> None:
        low, stable = min(client.cursor for client in clients), snapshot.stable
        if low >= stable:
            return
        async for page in self._repository.after(organizations, low, snapshot):
            # Who subscribes anew in the meantime is no longer caught up, and goes on from elsewhere.
            await self._send([client for client in clients if client.caught_up], page)
        for client in clients:
            if client.caught_up:
                client.cursor = max(client.cursor, stable)

    async def _send(self, clients: Sequence[LiveClient], page: Sequence[Document]) -> None:
        """Send a page; clients that want the same get the same."""
        alike: dict[Hashable, list[LiveClient]] = {}
        for client in clients:
            alike.setdefault(client.position, []).append(client)
        sendings = [
            ([client.sid for client in group], group_by_kind(page, group[0])) for group in alike.values()
        ]
        # Before the first emit: who subscribes anew in between sets the cursor, and that one counts.
        for client in clients:
            client.cursor = max(client.cursor, page[-1]["seq"])
        for sids, sending in sendings:
            for event, items in sending:
                for data in [items] if event == "telemetry" else items:
                    await self._transport.emit(sids, event, data)

    def _start_catch_up(self, client: LiveClient) -> None:
        earlier = self._behind.pop(client.sid, None)
        if earlier is not None:
            earlier.cancel()
        task = asyncio.create_task(self._catch_up(client))
        self._behind[client.sid] = task
        task.add_done_callback(lambda done: self._ended(client.sid, done))

    def _ended(self, sid: str, task: "asyncio.Task[None]") -> None:
        if self._behind.get(sid) is task:
            del self._behind[sid]

    async def _catch_up(self, client: LiveClient) -> None:
        """Feed a client alone until it is near; a store that is unavailable is waited for."""
        await asyncio.sleep(0.01)  # the answer to the subscription goes first
        gap_sent = False
        reads = self._reads_of(client)
        repository = FeedRepository(self._store, reads)
        while client.sid in self._clients:
            try:
                if not gap_sent:
                    await self._send_gap(client, reads)
                    gap_sent = True
                snapshot = await self._sequence.snapshot()
                async for page in repository.after(client.organizations, client.cursor, snapshot):
                    while not await self._keeps_up(client):
                        if client.sid not in self._clients:
                            return
                        await asyncio.sleep(_DRAIN_SECONDS)
                    await self._send([client], page)
                client.cursor = max(client.cursor, snapshot.stable)
                if client.cursor >= (await self._sequence.snapshot()).stable - SHORT_RANGE:
                    client.caught_up = True
                    return
            except (StoreError, Unavailable):
                await asyncio.sleep(0.5)

    def _reads_of(self, client: LiveClient) -> SharedReads:
        return SharedReads(self._limiter, str(client.principal.organization_id), seconds=_READ_SECONDS)

    async def _send_gap(self, client: LiveClient, reads: Reads) -> None:
        stable = (await self._sequence.snapshot()).stable
        if client.cursor >= stable - SHORT_RANGE:
            return
        reason = await self._resume_limit.reason(client.organizations, client.cursor, reads)
        if reason is not None:
            gap = {"from": str(client.cursor), "to": str(stable), "cursor": str(stable), "reason": reason}
            client.cursor = stable
            await self._transport.emit([client.sid], "gap", gap)

    async def _keeps_up(self, client: LiveClient) -> bool:
        """Whether the client may be fed; drops one that has not drained for too long."""
        limit = self._queue_packets if client.held_since is None else self._queue_packets // 2
        if self._transport.backlog(client.sid) <= limit:
            client.held_since = None
            return True
        if client.seconds_behind() > self._slow_seconds:
            DROPPED.inc()
            log.warning("live client dropped, it does not read", user_id=str(client.principal.user_id))
            await self.drop([client], abort=True)
        return False
