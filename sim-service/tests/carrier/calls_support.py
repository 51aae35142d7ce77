"""Carriers for the tests of single calls."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from once_sandbox.sims.models import Sim as SandboxSim
from once_sandbox.tickets.service import newest_first
from sim_service.carrier.base import Carrier
from sim_service.carrier.models import (
    OrderToPlace,
    PaymentMethod,
    Priority,
    SmsToSend,
    TicketToOpen,
)

from ..support import SandboxUnderTest

PEOPLE = Priority.INTERACTIVE


NOBODYS = "8988280000000000017"


CARD = PaymentMethod.CREDIT_CARD


TICKET = TicketToOpen("No data", "Since noon.", "Ada", "ada@example.com")


Call = Callable[[Carrier, str], Awaitable[Any]]


def other(iccid: str) -> str:
    """The ICCID behind this one."""
    return str(int(iccid) + 1)


def orders_of(sandbox: SandboxUnderTest) -> int:
    return len(sandbox.sandbox.world.orders.by_number)


def planned(sandbox: SandboxUnderTest) -> list[str]:
    """The kinds of what the sandbox will do."""
    return [due.kind for due in sandbox.sandbox.world.schedule.waiting]


ONLY_V1: dict[str, Call] = {
    "usage": lambda carrier, iccid: carrier.usage(
        iccid, datetime.now(UTC).date(), datetime.now(UTC).date(), priority=PEOPLE
    ),
    "cell_info": lambda carrier, iccid: carrier.cell_info(iccid, priority=PEOPLE),
    "top_up_many": lambda carrier, iccid: carrier.top_up([iccid, NOBODYS], CARD, priority=PEOPLE),
    "auto_top_up": lambda carrier, iccid: carrier.set_auto_top_up([iccid], enabled=True, priority=PEOPLE),
    "extend_sims": lambda carrier, iccid: carrier.extend_sims([iccid], None, priority=PEOPLE),
    "list_orders": lambda carrier, _: carrier.list_orders(1, priority=PEOPLE),
    "get_order": lambda carrier, _: carrier.get_order("1", priority=PEOPLE),
    "place_order": lambda carrier, _: carrier.place_order(OrderToPlace(((1001, 1),)), priority=PEOPLE),
    "products": lambda carrier, _: carrier.products(priority=PEOPLE),
    "list_tickets": lambda carrier, _: carrier.list_tickets(1, priority=PEOPLE),
    "open_ticket": lambda carrier, _: carrier.open_ticket(TICKET, priority=PEOPLE),
    "limits": lambda carrier, _: carrier.limits(priority=PEOPLE),
    "limit_choices": lambda carrier, _: carrier.limit_choices("data", priority=PEOPLE),
    "set_limits": lambda carrier, _: carrier.set_limits(data=1, sms_mo=None, sms_mt=None, priority=PEOPLE),
    "transfer_sims": lambda carrier, iccid: carrier.transfer_sims([iccid], 7, priority=PEOPLE),
}


NEVER_REPEATED: dict[str, tuple[Call, Callable[[SandboxUnderTest], int]]] = {
    "send_sms": (
        lambda carrier, iccid: carrier.send_sms(iccid, SmsToSend("hi"), priority=PEOPLE),
        lambda sandbox: len(sandbox.sandbox.world.sms.by_id),
    ),
    "top_up": (lambda carrier, iccid: carrier.top_up([iccid], CARD, priority=PEOPLE), orders_of),
    "top_up_many": (
        lambda carrier, iccid: carrier.top_up([iccid, other(iccid)], CARD, priority=PEOPLE),
        orders_of,
    ),
    "place_order": (ONLY_V1["place_order"], orders_of),
    "extend_sims": (ONLY_V1["extend_sims"], orders_of),
    "open_ticket": (
        ONLY_V1["open_ticket"],
        lambda sandbox: len(newest_first(sandbox.sandbox.world)),
    ),
    "transfer_sims": (
        ONLY_V1["transfer_sims"],
        lambda sandbox: planned(sandbox).count("sims.release"),
    ),
}


WRITING_PATHS = ["*/sims/*/sms", "*/topup", "*/orders", "*/extension", "*/support", "*/simTransfer"]


def first(sandbox: SandboxUnderTest) -> SandboxSim:
    return sandbox.sims()[0]
