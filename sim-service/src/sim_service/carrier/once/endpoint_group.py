"""The base of all groups of endpoints: reads, pages, and the numbers of created objects."""

from collections.abc import Callable, Mapping
from typing import Any, TypedDict, TypeVar, Unpack
from urllib.parse import urlsplit

from fleet_kit.errors import FleetError
from sim_service.carrier.errors import CarrierBadAnswer, CarrierOutcomeUnknown
from sim_service.carrier.models import Priority
from sim_service.carrier.once.fields import Record
from sim_service.carrier.once.operations import Operation, missing
from sim_service.carrier.once.responses import Answer
from sim_service.carrier.once.transport import Transport

TOTAL, PAGES = "x-total-count", "x-total-pages"
_MAX_NUMBER_LENGTH = 40

Params = Mapping[str, str | int]
T = TypeVar("T")


class RequestOptions(TypedDict, total=False):
    """What a read may name besides its operation; `item`: id of a message, an order or a limit."""

    iccid: str
    item: str
    params: Params


class EndpointGroup:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def _fetch(
        self, operation: Operation, priority: Priority, **options: Unpack[RequestOptions]
    ) -> Answer:
        """The answer of a read; an empty 200 is requested once more before it is believed."""
        answer = await self._transport.send(operation, priority=priority, **options)
        if answer.body is None and answer.total(TOTAL) != 0:
            answer = await self._transport.send(operation, priority=priority, **options)
        return answer

    async def _read(self, operation: Operation, priority: Priority, **options: Unpack[RequestOptions]) -> Any:
        """The body; raises NotFound where it is empty, as 1NCE answers for unknown SIMs."""
        answer = await self._fetch(operation, priority, **options)
        if answer.body is None:
            raise _nothing(operation)
        return answer.body

    async def _read_record(
        self, operation: Operation, priority: Priority, **options: Unpack[RequestOptions]
    ) -> Record:
        return _record(await self._read(operation, priority, **options))

    async def _rows(
        self, operation: Operation, priority: Priority, **options: Unpack[RequestOptions]
    ) -> tuple[list[Record], Answer]:
        """The rows of a page, bare or inside `events`, and the answer they came in."""
        answer = await self._fetch(operation, priority, **options)
        rows = answer.body.get("events") if isinstance(answer.body, Mapping) else answer.body
        if rows is None and answer.total(TOTAL) == 0:
            rows = []
        if answer.body is None and rows is None:
            raise _nothing(operation)
        if not isinstance(rows, list):
            raise CarrierBadAnswer("the carrier's list is not a list", details={"operation": operation.name})
        return [_record(row) for row in rows], answer

    async def _list(
        self,
        parse: Callable[[Record], T | None],
        operation: Operation,
        priority: Priority,
        **options: Unpack[RequestOptions],
    ) -> list[T]:
        """The rows of a page; those that cannot be read are left out."""
        rows, _ = await self._rows(operation, priority, **options)
        return [item for row in rows if (item := parse(row)) is not None]


def _record(value: Any) -> Record:
    return value if isinstance(value, Mapping) else {}


def _nothing(operation: Operation) -> FleetError:
    if operation.about:
        return missing(operation)
    return CarrierBadAnswer("the carrier answered nothing", details={"operation": operation.name})


def number_in(answer: Answer) -> str:
    """The number of a created object: `id` of the body, or the end of Location (its host is wrong), or ''."""
    said = answer.body.get("id") if isinstance(answer.body, Mapping) else None
    if said is None or isinstance(said, bool):
        said = urlsplit(answer.headers.get("location", "")).path.rstrip("/").rpartition("/")[2]
    number = str(said)
    return number if number.isascii() and number.isalnum() and len(number) <= _MAX_NUMBER_LENGTH else ""


def created_number(operation: Operation, answer: Answer) -> str:
    """Like `number_in`; raises CarrierOutcomeUnknown where the answer names no number."""
    number = number_in(answer)
    if not number:
        raise CarrierOutcomeUnknown(
            "the carrier did it without telling its number", details={"operation": operation.name}
        )
    return number


def expect_number(item: str, operation: Operation) -> None:
    """Raise NotFound for what cannot be the id of a message or an order, so that it gets into no path."""
    if not (item.isascii() and item.isdigit() and len(item) <= _MAX_NUMBER_LENGTH // 2):
        raise missing(operation)
