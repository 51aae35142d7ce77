"""Checks whether a request that must not be repeated took effect although 1NCE refused it.

A 401 or 429 may arrive after the request was carried out. So before it is repeated, the list that would show
its effect is read. Any entry that may be its effect forbids the repeat and raises CarrierOutcomeUnknown. The
entry is not taken for the answer: only the features know which orders and messages belong to other requests.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from sim_service.carrier.models import (
    MAX_CLOCK_SKEW,
    CarrierOrder,
    CarrierSms,
    CarrierTicket,
    SmsDirection,
    SmsToSend,
    TicketToOpen,
)

T = TypeVar("T")
OutcomeCheck = Callable[[], Awaitable[bool]]
"""Whether the request may have been carried out; raises the carrier's errors where no list shows it."""

_MAX_PAGES = 5
"""More would make interactive callers wait, and use up the rate limit of orders."""


def check_list_since_now(
    page: Callable[[int], Awaitable[Sequence[T]]],
    made_at: Callable[[T], datetime | None],
    may_be: Callable[[T], bool],
) -> OutcomeCheck:
    """A check, run later, for entries made from now on; `page` reads the list, newest first."""
    since = datetime.now(UTC) - MAX_CLOCK_SKEW

    async def check() -> bool:
        for number in range(1, _MAX_PAGES + 1):
            recent = [one for one in await page(number) if (made_at(one) or since) >= since]
            if any(may_be(one) for one in recent):
                return True
            if not recent:
                return False
        return True

    return check


def matches_iccids(order: CarrierOrder, iccids: Sequence[str]) -> bool:
    """Whether the order may be for any of the SIMs, of whatever kind the carrier says it is."""
    if not order.iccids:
        return not order.products
    return not set(iccids).isdisjoint(order.iccids)


def matches_products(order: CarrierOrder, products: Sequence[tuple[int, int]]) -> bool:
    """Whether the order may have bought any of the products, given with their quantities."""
    if not order.products:
        return not order.iccids
    return not {product for product, _ in products}.isdisjoint(product for product, _ in order.products)


def matches_message(listed: CarrierSms, sent: SmsToSend) -> bool:
    is_sent = listed.direction is SmsDirection.MT
    return is_sent and listed.has_content(sent.coding, sent.udh, sent.payload)


def matches_ticket(listed: CarrierTicket, opened: TicketToOpen) -> bool:
    return listed.has_content(opened.subject, opened.text)
