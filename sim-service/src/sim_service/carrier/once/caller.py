"""What all groups of calls share: asking, pages, and the numbers that 1NCE gives to what it made."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from fleet_kit.errors import FleetError
from sim_service.carrier.errors import CarrierBadAnswer, CarrierOutcomeUnknown
from sim_service.carrier.facts import Priority
from sim_service.carrier.once.answers import Answer
from sim_service.carrier.once.operations import Operation, missing
from sim_service.carrier.once.transport import Transport

TOTAL, PAGES = "x-total-count", "x-total-pages"
_LONGEST_NUMBER = 40

Params = Mapping[str, str | int]


class Caller:
    """Asks 1NCE through a transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def _look(
        self,
        operation: Operation,
        priority: Priority,
        *,
        iccid: str = "",
        item: str = "",
        params: Params | None = None,
    ) -> Answer:
        """The answer of a read; an empty 200 is asked about once more before it is believed."""
        answer = await self._transport.send(
            operation, priority=priority, iccid=iccid, item=item, params=params
        )
        if answer.body is None and answer.total(TOTAL) != 0:
            answer = await self._transport.send(
                operation, priority=priority, iccid=iccid, item=item, params=params
            )
        return answer

    async def _read(
        self,
        operation: Operation,
        priority: Priority,
        *,
        iccid: str = "",
        item: str = "",
        params: Params | None = None,
    ) -> Any:
        """The body; without one, as seen for unknown SIMs, raises what the operation is about as missing."""
        answer = await self._look(operation, priority, iccid=iccid, item=item, params=params)
        if answer.body is None:
            raise _nothing(operation)
        return answer.body

    async def _rows(
        self, operation: Operation, priority: Priority, *, iccid: str = "", params: Params | None = None
    ) -> tuple[list[Any], Answer]:
        """The rows of a page, bare or inside `events`, and the answer they came in."""
        answer = await self._look(operation, priority, iccid=iccid, params=params)
        rows = answer.body.get("events") if isinstance(answer.body, Mapping) else answer.body
        if rows is None and answer.total(TOTAL) == 0:
            rows = []
        if answer.body is None and rows is None:
            raise _nothing(operation)
        if not isinstance(rows, list):
            raise CarrierBadAnswer("the carrier's list is not a list", details={"operation": operation.name})
        return rows, answer


def _nothing(operation: Operation) -> FleetError:
    if operation.about:
        return missing(operation)
    return CarrierBadAnswer("the carrier answered nothing", details={"operation": operation.name})


def number_of(answer: Answer) -> str:
    """The number of what was made: `id` of the body, or the last part of Location, whose host means nothing.

    Empty where neither says one.
    """
    said = answer.body.get("id") if isinstance(answer.body, Mapping) else None
    if said is None or isinstance(said, bool):
        said = urlsplit(answer.headers.get("location", "")).path.rstrip("/").rpartition("/")[2]
    number = str(said)
    return number if number.isascii() and number.isalnum() and len(number) <= _LONGEST_NUMBER else ""


def made(operation: Operation, answer: Answer) -> str:
    """Like `number_of`; raises CarrierOutcomeUnknown where something was made and has no number."""
    number = number_of(answer)
    if not number:
        raise CarrierOutcomeUnknown(
            "the carrier did it without telling its number", details={"operation": operation.name}
        )
    return number


def is_number(item: str) -> bool:
    """Whether this can be the id of a message or an order, so that nothing else gets into a path."""
    return item.isascii() and item.isdigit() and len(item) <= _LONGEST_NUMBER // 2
