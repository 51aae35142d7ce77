"""The account as a whole."""

from collections.abc import Mapping, Sequence

from sim_service.carrier.errors import CarrierBadAnswer
from sim_service.carrier.models import CarrierTicket, Priority, TicketToOpen, VolumeLimit, VolumeLimits
from sim_service.carrier.once import operations
from sim_service.carrier.once.endpoint_group import EndpointGroup
from sim_service.carrier.once.outcome_check import check_list_since_now, matches_ticket
from sim_service.carrier.once.parsers import account as parsers

_SERVICES = {"data": "data", "sms_mo": "smsMO", "sms_mt": "smsMT"}


class AccountEndpoints(EndpointGroup):
    async def list_tickets(self, page: int, *, priority: Priority) -> list[CarrierTicket]:
        # A page would hold one ticket if no size were given.
        params = {"page": page, "pageSize": 100}
        return await self._list(parsers.ticket, operations.LIST_TICKETS, priority, params=params)

    async def open_ticket(self, ticket: TicketToOpen, *, priority: Priority) -> None:
        body = {
            "subject": ticket.subject,
            "text": ticket.text,
            "senderName": ticket.sender,
            "replyToMail": ticket.reply_to,
        }
        outcome_check = check_list_since_now(
            lambda page: self.list_tickets(page, priority=priority),
            lambda listed: listed.created_at,
            lambda listed: matches_ticket(listed, ticket),
        )
        await self._transport.send(
            operations.OPEN_TICKET, priority=priority, body=body, outcome_check=outcome_check
        )

    async def limits(self, *, priority: Priority) -> VolumeLimits:
        body = await self._read(operations.LIMITS, priority)
        if not isinstance(body, Mapping):
            raise CarrierBadAnswer("the carrier's limits cannot be read")
        return parsers.limits(body)

    async def limit_choices(self, kind: str, *, priority: Priority) -> list[VolumeLimit]:
        body = await self._read(operations.LIMIT_CHOICES, priority, item=_SERVICES[kind])
        return parsers.choices(body, kind)

    async def set_limits(
        self, *, data: int | None, sms_mo: int | None, sms_mt: int | None, priority: Priority
    ) -> None:
        ids = {"dataLimitId": data, "smsMoLimitId": sms_mo, "smsMtLimitId": sms_mt}
        body = {name: chosen for name, chosen in ids.items() if chosen is not None}
        await self._transport.send(operations.SET_LIMITS, priority=priority, body=body)

    async def transfer_sims(self, iccids: Sequence[str], target: int, *, priority: Priority) -> None:
        body = {"iccids": list(dict.fromkeys(iccids)), "target_organisation": target}
        # No outcome check: no list shows whether it was done.
        await self._transport.send(operations.TRANSFER_SIMS, priority=priority, body=body)
