"""Short messages."""

from functools import partial

from sim_service.carrier.errors import CarrierBadAnswer, CarrierRejected
from sim_service.carrier.models import CarrierSms, Priority, SmsToSend
from sim_service.carrier.once import operations
from sim_service.carrier.once.endpoint_group import EndpointGroup, created_number, expect_number
from sim_service.carrier.once.outcome_check import check_list_since_now, matches_message
from sim_service.carrier.once.parsers import sms as parsers

_PAGE_SIZE_NAMES = {operations.V1: "pageSize", operations.V2: "per_page"}


class SmsEndpoints(EndpointGroup):
    async def send_sms(self, iccid: str, message: SmsToSend, *, priority: Priority) -> str:
        body = parsers.sms_body(message)
        outcome_check = check_list_since_now(
            lambda page: self.list_sms(iccid, page, priority=priority),
            lambda listed: listed.submitted_at,
            lambda listed: matches_message(listed, message),
        )
        answer = await self._transport.send(
            operations.SEND_SMS, priority=priority, iccid=iccid, body=body, outcome_check=outcome_check
        )
        return created_number(operations.SEND_SMS, answer)

    async def get_sms(self, iccid: str, message_id: str, *, priority: Priority) -> CarrierSms:
        expect_number(message_id, operations.GET_SMS)
        record = await self._read_record(operations.GET_SMS, priority, iccid=iccid, item=message_id)
        sms = parsers.sms(record, iccid)
        if sms is None or sms.id != message_id:
            raise CarrierBadAnswer("the carrier's answer describes another message, or none")
        return sms

    async def list_sms(self, iccid: str, page: int, *, priority: Priority) -> list[CarrierSms]:
        size = _PAGE_SIZE_NAMES[self._transport.version_of(operations.LIST_SMS)]
        params = {"page": page, size: 100}
        parse = partial(parsers.sms, iccid=iccid)
        return await self._list(parse, operations.LIST_SMS, priority, iccid=iccid, params=params)

    async def cancel_sms(self, iccid: str, message_id: str, *, priority: Priority) -> bool:
        expect_number(message_id, operations.CANCEL_SMS)
        try:
            answer = await self._transport.send(
                operations.CANCEL_SMS, priority=priority, iccid=iccid, item=message_id
            )
        except CarrierRejected as refusal:
            if refusal.details.get("status") in {400, 409}:
                return False
            raise
        return answer.status != 204  # v1 says 204 where it is too late, v2 refuses
