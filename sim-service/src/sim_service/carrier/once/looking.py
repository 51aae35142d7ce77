"""Looking whether a call that must not be repeated was carried out although 1NCE refused it.

A 401 or 429 may come after the deed. So before such a call is repeated, the list that would show what it made
is read. Anything there that may be its doing forbids the repeat: its caller hears CarrierOutcomeUnknown. What
is found is not taken for the answer: only the services know which orders and messages are another call's.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from sim_service.carrier.facts import (
    CLOCKS_DIFFER,
    CarrierOrder,
    CarrierSms,
    CarrierTicket,
    SmsDirection,
    SmsToSend,
    TicketToOpen,
)

T = TypeVar("T")
Look = Callable[[], Awaitable[bool]]
"""Whether the call may have been carried out; raises the carrier's errors where that cannot be seen."""

_MOST_PAGES = 5
"""More would keep people waiting, and use up what the rate limit of orders allows."""


def look_since_now(
    page: Callable[[int], Awaitable[Sequence[T]]],
    made_at: Callable[[T], datetime | None],
    may_be: Callable[[T], bool],
) -> Look:
    """A look, taken later, for what is made from now on; `page` reads the list, newest first, from page 1."""
    since = datetime.now(UTC) - CLOCKS_DIFFER

    async def look() -> bool:
        for number in range(1, _MOST_PAGES + 1):
            recent = [one for one in await page(number) if (made_at(one) or since) >= since]
            if any(may_be(one) for one in recent):
                return True
            if not recent:
                return False
        return True

    return look


def touches(order: CarrierOrder, iccids: Sequence[str]) -> bool:
    """Whether the order may be for any of the SIMs, of whatever kind the carrier says it is."""
    if not order.iccids:
        return not order.products
    return not set(iccids).isdisjoint(order.iccids)


def buys(order: CarrierOrder, products: Sequence[tuple[int, int]]) -> bool:
    """Whether the order may have bought any of the products, given with their quantities."""
    if not order.products:
        return not order.iccids
    return not {product for product, _ in products}.isdisjoint(product for product, _ in order.products)


def says_the_same(listed: CarrierSms, sent: SmsToSend) -> bool:
    """Whether the message to the SIM has this content; hexadecimal digits may come back in another case."""
    return (
        listed.direction is SmsDirection.MT
        and (listed.coding, listed.udh.upper()) == (sent.coding, sent.udh.upper())
        and listed.payload.upper() == sent.payload.upper()
    )


def asks_the_same(listed: CarrierTicket, opened: TicketToOpen) -> bool:
    """Whether the ticket has this subject and text."""
    return (listed.subject, listed.text.strip()) == (opened.subject.strip(), opened.text.strip())
