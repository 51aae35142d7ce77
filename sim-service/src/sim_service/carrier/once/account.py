"""The account as a whole."""

from collections.abc import Mapping, Sequence
from typing import Any

from sim_service.carrier.errors import CarrierBadAnswer
from sim_service.carrier.facts import CarrierTicket, Priority, TicketToOpen, VolumeLimit, VolumeLimits
from sim_service.carrier.once import operations
from sim_service.carrier.once.caller import Caller
from sim_service.carrier.once.looking import asks_the_same, look_since_now
from sim_service.carrier.once.records import account as records

_TICKETS_A_PAGE = 100
_SERVICES = {"data": "data", "sms_mo": "smsMO", "sms_mt": "smsMT"}


class Account(Caller):
    """See sim_service.carrier.base.AccountCalls."""

    async def list_tickets(self, page: int, *, priority: Priority) -> list[CarrierTicket]:
        """See AccountCalls. A page would hold one ticket if no size were given."""
        params = {"page": page, "pageSize": _TICKETS_A_PAGE}
        rows, _ = await self._rows(operations.LIST_TICKETS, priority, params=params)
        return [ticket for row in rows if (ticket := records.ticket(row)) is not None]

    async def open_ticket(self, ticket: TicketToOpen, *, priority: Priority) -> None:
        """See AccountCalls."""
        body = {
            "subject": ticket.subject,
            "text": ticket.text,
            "senderName": ticket.sender,
            "replyToMail": ticket.reply_to,
        }
        look = look_since_now(
            lambda page: self.list_tickets(page, priority=priority),
            lambda listed: listed.created_at,
            lambda listed: asks_the_same(listed, ticket),
        )
        await self._transport.send(operations.OPEN_TICKET, priority=priority, body=body, look=look)

    async def limits(self, *, priority: Priority) -> VolumeLimits:
        """See AccountCalls."""
        body = await self._read(operations.LIMITS, priority)
        if not isinstance(body, Mapping):
            raise CarrierBadAnswer("the carrier's limits cannot be read")
        return records.limits(body)

    async def limit_choices(self, kind: str, *, priority: Priority) -> list[VolumeLimit]:
        """See AccountCalls."""
        body = await self._read(operations.LIMIT_CHOICES, priority, item=_SERVICES[kind])
        return records.choices(body, kind)

    async def set_limits(
        self, *, data: int | None, sms_mo: int | None, sms_mt: int | None, priority: Priority
    ) -> None:
        """See AccountCalls."""
        ids = {"dataLimitId": data, "smsMoLimitId": sms_mo, "smsMtLimitId": sms_mt}
        body = {name: chosen for name, chosen in ids.items() if chosen is not None}
        await self._transport.send(operations.SET_LIMITS, priority=priority, body=body)

    async def transfer_sims(self, iccids: Sequence[str], target: int, *, priority: Priority) -> None:
        """See AccountCalls. No list shows whether it was done."""
        body: dict[str, Any] = {"iccids": list(dict.fromkeys(iccids)), "target_organisation": target}
        await self._transport.send(operations.TRANSFER_SIMS, priority=priority, body=body)
