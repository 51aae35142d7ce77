"""Short messages."""

from sim_service.carrier.errors import CarrierBadAnswer, CarrierRejected
from sim_service.carrier.facts import CarrierSms, Priority, SmsToSend
from sim_service.carrier.once import operations
from sim_service.carrier.once.caller import Caller, is_number, made
from sim_service.carrier.once.looking import look_since_now, says_the_same
from sim_service.carrier.once.records import sms as records

_A_PAGE = 100
_PAGE_SIZE_NAMES = {operations.V1: "pageSize", operations.V2: "per_page"}


class Messages(Caller):
    """See sim_service.carrier.base.SmsCalls."""

    async def send_sms(self, iccid: str, message: SmsToSend, *, priority: Priority) -> str:
        """See SmsCalls. v2 answers with the id, v1 with a Location."""
        body = records.sms_body(message)
        look = look_since_now(
            lambda page: self.list_sms(iccid, page, priority=priority),
            lambda listed: listed.submitted_at,
            lambda listed: says_the_same(listed, message),
        )
        answer = await self._transport.send(
            operations.SEND_SMS, priority=priority, iccid=iccid, body=body, look=look
        )
        return made(operations.SEND_SMS, answer)

    async def get_sms(self, iccid: str, message_id: str, *, priority: Priority) -> CarrierSms:
        """See SmsCalls."""
        _expect_number(message_id, operations.GET_SMS)
        sms = records.sms(await self._read(operations.GET_SMS, priority, iccid=iccid, item=message_id), iccid)
        if sms is None or sms.id != message_id:
            raise CarrierBadAnswer("the carrier's answer describes another message, or none")
        return sms

    async def list_sms(self, iccid: str, page: int, *, priority: Priority) -> list[CarrierSms]:
        """See SmsCalls. Messages that cannot be read are left out."""
        size = _PAGE_SIZE_NAMES[self._transport.version_of(operations.LIST_SMS)]
        rows, _ = await self._rows(
            operations.LIST_SMS, priority, iccid=iccid, params={"page": page, size: _A_PAGE}
        )
        return [sms for row in rows if (sms := records.sms(row, iccid)) is not None]

    async def cancel_sms(self, iccid: str, message_id: str, *, priority: Priority) -> bool:
        """See SmsCalls. v1 says 204 where it is too late, v2 refuses."""
        _expect_number(message_id, operations.CANCEL_SMS)
        try:
            answer = await self._transport.send(
                operations.CANCEL_SMS, priority=priority, iccid=iccid, item=message_id
            )
        except CarrierRejected as refusal:
            if refusal.details.get("status") in {400, 409}:
                return False
            raise
        return answer.status != 204


def _expect_number(message_id: str, operation: operations.Operation) -> None:
    if not is_number(message_id):
        raise operations.missing(operation)
