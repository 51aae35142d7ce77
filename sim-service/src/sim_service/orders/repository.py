"""Queries on `orders`, `order_items` and `order_requests`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, func, select, union, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.keyset import Found, find_page
from fleet_kit.keyset import Order as Sorting
from fleet_kit.pagination import PageParams
from fleet_kit.scope import EVERYTHING, Scope
from sim_service.attempts import UNSETTLED
from sim_service.orders.models import FINAL, Order, OrderItem, OrderRequest
from sim_service.sims.models import Sim

_NEWEST = Sorting("-placed_at", Order.placed_at, Order.number)
# Ids are made in the order of time.
_NEWEST_REQUEST = Sorting("-id", OrderRequest.id, OrderRequest.id)


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Conditions that must all hold; None does not restrict."""

    kind: str | None = None
    state: str | None = None
    iccid: str | None = None


class OrderRepository:
    """Orders that one organisation placed or whose SIMs it owns, or all with EVERYTHING."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    async def get(self, number: str) -> Order | None:
        """One order."""
        return (await self._session.execute(self._mine().where(Order.number == number))).scalar_one_or_none()

    async def page(self, wanted: OrderFilter, paging: PageParams) -> Found[Order]:
        """A page, newest first."""
        statement = self._mine()
        for name in ("kind", "state"):
            if (value := getattr(wanted, name)) is not None:
                statement = statement.where(getattr(Order, name) == value)
        if wanted.iccid is not None:
            touching = select(OrderItem.order_number).where(
                OrderItem.iccid == wanted.iccid, self._scope.where(OrderItem.organization_id)
            )
            statement = statement.where(Order.number.in_(touching))
        return await find_page(self._session, statement, _NEWEST, paging)

    async def items(self, numbers: Collection[str]) -> dict[str, list[OrderItem]]:
        """The items of orders, of other organisations too: show only those in scope."""
        statement = select(OrderItem).where(OrderItem.order_number.in_(numbers)).order_by(OrderItem.iccid)
        found: dict[str, list[OrderItem]] = {number: [] for number in numbers}
        for item in (await self._session.execute(statement)).scalars():
            found[item.order_number].append(item)
        return found

    async def known(self, numbers: Collection[str]) -> dict[str, Order]:
        """Orders by number, locked."""
        statement = self._mine().where(Order.number.in_(numbers)).order_by(Order.number).with_for_update()
        return {order.number: order for order in (await self._session.execute(statement)).scalars()}

    async def unfinished(self, *, synced_before: datetime) -> Sequence[str]:
        """Numbers of orders that can still change and were last read before a moment."""
        statement = (
            self._mine()
            .with_only_columns(Order.number)
            .where(Order.state.not_in(FINAL), Order.synced_at < synced_before)
            .order_by(Order.number)
        )
        return (await self._session.execute(statement)).scalars().all()

    def add(self, row: Order | OrderRequest) -> None:
        """Insert at the next flush."""
        self._session.add(row)

    async def add_items(self, number: str, iccids: Collection[str]) -> None:
        """Note the SIMs that an order touches, with their present owners."""
        if not iccids:
            return
        owners = {sim.iccid: sim.organization_id for sim in await self._owners(iccids)}
        rows = [
            {"order_number": number, "iccid": iccid, "organization_id": owners.get(iccid)}
            for iccid in sorted(set(iccids))
        ]
        statement = insert(OrderItem.metadata.tables[OrderItem.__tablename__]).on_conflict_do_nothing()
        await (await self._session.connection()).execute(statement, rows)

    async def own_items(self) -> None:
        """Give items of SIMs that had no owner then to whoever owns them by now."""
        statement = (
            update(OrderItem)
            .where(
                OrderItem.organization_id.is_(None),
                Sim.iccid == OrderItem.iccid,
                Sim.organization_id.is_not(None),
            )
            .values(organization_id=Sim.organization_id)
            .execution_options(synchronize_session=False)
        )
        await self._session.execute(statement)

    async def _owners(self, iccids: Collection[str]) -> Sequence[Sim]:
        return (await self._session.execute(select(Sim).where(Sim.iccid.in_(iccids)))).scalars().all()

    def _mine(self) -> Select[Order]:
        if self._scope == EVERYTHING:
            return select(Order)
        # A union rather than OR: each half has an index, the two conditions together have none.
        mine = union(
            select(Order.number).where(self._scope.where(Order.organization_id)),
            select(OrderItem.order_number).where(self._scope.where(OrderItem.organization_id)),
        )
        return select(Order).where(Order.number.in_(mine))


class OrderRequestRepository:
    """Requests of one organisation, or of all with EVERYTHING."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    async def get(self, request_id: UUID, *, for_update: bool = False) -> OrderRequest | None:
        """One request."""
        statement = self._mine().where(OrderRequest.id == request_id)
        if for_update:
            statement = statement.with_for_update().execution_options(populate_existing=True)
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def page(self, paging: PageParams) -> Found[OrderRequest]:
        """A page, newest first."""
        return await find_page(self._session, self._mine(), _NEWEST_REQUEST, paging)

    async def add(self, row: OrderRequest) -> bool:
        """Enter a request; False while another for the same is open."""
        await self._session.execute(select(func.pg_advisory_xact_lock(func.hashtext(row.lines))))
        statement = select(OrderRequest.id).where(
            OrderRequest.lines == row.lines, OrderRequest.state.in_(UNSETTLED)
        )
        if (await self._session.execute(statement)).first() is not None:
            return False
        self._session.add(row)
        await self._session.flush()
        return True

    async def due(self, now: datetime, limit: int) -> Sequence[OrderRequest]:
        """Requests to look after, locked; those in other hands are left out."""
        statement = (
            self._mine()
            .where(OrderRequest.state.in_(UNSETTLED), OrderRequest.next_look_at <= now)
            .order_by(OrderRequest.next_look_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return (await self._session.execute(statement)).scalars().all()

    async def owners(self, numbers: Collection[str]) -> dict[str, UUID]:
        """Who asked for which of the orders."""
        statement = select(OrderRequest.order_number, OrderRequest.organization_id).where(
            OrderRequest.order_number.in_(numbers)
        )
        return {row[0]: row[1] for row in (await self._session.execute(statement)).all() if row[0]}

    def _mine(self) -> Select[OrderRequest]:
        return select(OrderRequest).where(self._scope.where(OrderRequest.organization_id))
