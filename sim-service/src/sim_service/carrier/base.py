"""The interface of a carrier, in the platform's own terms.

Every call may raise the errors of `sim_service.carrier.errors`, and nothing else. Calls that cost money or
send a message are never repeated: they raise CarrierOutcomeUnknown where their answer was lost, and the
caller checks (orders, quotas, messages) before it tries again.
"""

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from sim_service.carrier.models import (
    CarrierConnectivity,
    CarrierEvent,
    CarrierOrder,
    CarrierProduct,
    CarrierQuota,
    CarrierSim,
    CarrierSms,
    CarrierTicket,
    CellInfo,
    OrderPage,
    OrderToPlace,
    PaymentMethod,
    Priority,
    QuotaKind,
    SimChange,
    SimPage,
    SmsToSend,
    TicketToOpen,
    UsageDay,
    VolumeLimit,
    VolumeLimits,
)


class Carrier(Protocol):
    @property
    def name(self) -> str:
        """Short name, stored with each SIM."""

    @property
    def page_size(self) -> int:
        """Most SIMs that one page can hold."""

    @property
    def usage_days_kept(self) -> int:
        """How many days back usage can still be asked for."""

    async def list_sims(self, page: int, *, priority: Priority) -> SimPage:
        """One page of all SIMs, counted from 1."""

    async def get_sim(self, iccid: str, *, priority: Priority) -> CarrierSim:
        """One SIM; raises CarrierSimNotFound."""

    async def change_sim(self, iccid: str, change: SimChange, *, priority: Priority) -> None:
        """Change a SIM; doing so twice does no harm. Reading it back may lag."""

    async def usage(self, iccid: str, first: date, last: date, *, priority: Priority) -> list[UsageDay]:
        """Usage of one SIM by day, both ends included."""

    async def quota(self, iccid: str, kind: QuotaKind, *, priority: Priority) -> CarrierQuota:
        """One quota of a SIM; raises CarrierSimNotFound."""

    async def connectivity(self, iccid: str, *, priority: Priority) -> CarrierConnectivity: ...

    async def cell_info(self, iccid: str, *, priority: Priority) -> CellInfo:
        """The cell of a SIM that is attached on 2G or 3G."""

    async def reset(self, iccid: str, *, priority: Priority) -> None:
        """Let the SIM log in to the network anew, some time later; doing so twice does no harm."""

    async def events(self, iccid: str, page: int, *, priority: Priority) -> list[CarrierEvent]:
        """A page of the SIM's events, newest first, counted from 1; empty behind the last."""

    async def send_sms(self, iccid: str, message: SmsToSend, *, priority: Priority) -> str:
        """Send one message and return the carrier's id of it. Never repeated."""

    async def get_sms(self, iccid: str, message_id: str, *, priority: Priority) -> CarrierSms:
        """One message; raises NotFound with the code SMS_NOT_FOUND once the carrier has forgotten it."""

    async def list_sms(self, iccid: str, page: int, *, priority: Priority) -> list[CarrierSms]:
        """A page of the messages of the last 7 days, newest first, counted from 1; empty behind the last."""

    async def cancel_sms(self, iccid: str, message_id: str, *, priority: Priority) -> bool:
        """Cancel a message; False if it was too late."""

    async def top_up(self, iccids: Sequence[str], payment: PaymentMethod, *, priority: Priority) -> str:
        """Order one top-up for each SIM, booked once it is paid; the order's number. Never repeated."""

    async def set_auto_top_up(self, iccids: Sequence[str], *, enabled: bool, priority: Priority) -> None:
        """Switch the carrier's automatic top-ups below 20 % on or off."""

    async def list_orders(self, page: int, *, priority: Priority) -> OrderPage:
        """A page of all orders, newest first, counted from 1; empty behind the last."""

    async def get_order(self, number: str, *, priority: Priority) -> CarrierOrder:
        """One order; raises NotFound with the code ORDER_NOT_FOUND."""

    async def place_order(self, order: OrderToPlace, *, priority: Priority) -> str:
        """Buy SIMs and return the order's number. Never repeated."""

    async def extend_sims(self, iccids: Sequence[str], product_id: int | None, *, priority: Priority) -> str:
        """Extend SIMs and return the order's number, empty if the answer has none. Never repeated."""

    async def products(self, *, priority: Priority) -> list[CarrierProduct]: ...

    async def list_tickets(self, page: int, *, priority: Priority) -> list[CarrierTicket]:
        """A page of tickets, newest first, counted from 1; empty behind the last."""

    async def open_ticket(self, ticket: TicketToOpen, *, priority: Priority) -> None:
        """Open a ticket. Never repeated; the answer has no id, so it has to be found in the list."""

    async def limits(self, *, priority: Priority) -> VolumeLimits: ...

    async def limit_choices(self, kind: str, *, priority: Priority) -> list[VolumeLimit]:
        """The limits that can be set; `kind`: `data`, `sms_mo` or `sms_mt`."""

    async def set_limits(
        self, *, data: int | None, sms_mo: int | None, sms_mt: int | None, priority: Priority
    ) -> None:
        """Set limits by the ids of their choices; None leaves one as it is."""

    async def transfer_sims(self, iccids: Sequence[str], target: int, *, priority: Priority) -> None:
        """Give SIMs to another of the carrier's customers. Never repeated."""
