"""/control/sms: SIMs send messages, and messages to them reach their end."""

from fastapi import APIRouter

from once_sandbox.control.schemas import Iccid, MobileOriginated, SmsOutcome
from once_sandbox.control.sims import any_sim
from once_sandbox.deps import CurrentWorld
from once_sandbox.errors import ApiError
from once_sandbox.sms.delivery import finish
from once_sandbox.sms.models import STATUSES
from once_sandbox.sms.schemas import SmsMessage, sms_v1
from once_sandbox.sms.service import receive
from once_sandbox.usage.booking import book_sms
from once_sandbox.wire import Json

router = APIRouter(prefix="/control/sms", tags=["Control: SMS"])


@router.get("")
async def list_sms(iccid: Iccid, world: CurrentWorld) -> list[Json]:
    """The SIM's messages in both directions, oldest first, without asking the API."""
    sim = any_sim(world, iccid)
    return [sms_v1(sim, sms) for sms in world.sms.of(sim.iccid, world.clock.now())[::-1]]


@router.post("/mo", status_code=201)
async def send_from_sim(wanted: MobileOriginated, world: CurrentWorld) -> Json:
    """The SIM sends a message; the SMS Forwarder delivers it."""
    sim = any_sim(world, wanted.iccid)
    message = SmsMessage(payload=wanted.payload, dcs=wanted.dcs, udh=wanted.udh)
    sms = receive(world, sim, message, wanted.dest_address)
    if sms is None:
        raise ApiError(409, "the SIM is disabled, or its SMS quota or limit is used up")
    return sms_v1(sim, sms)


@router.post("/{number}/status")
async def end_sms(number: int, wanted: SmsOutcome, world: CurrentWorld) -> Json:
    """End a waiting message in this way."""
    sms = world.sms.by_id.get(number)
    if sms is None:
        raise ApiError(404, f"SMS {number} not found")
    if not sms.waiting:
        raise ApiError(409, f"SMS {number} is {STATUSES[sms.status]} already")
    sim = any_sim(world, sms.iccid)
    if wanted.status == "DELIVERED":
        book_sms(world, sim, sent_by_sim=False)
    finish(world, sim, sms, next(key for key, name in STATUSES.items() if name == wanted.status))
    return sms_v1(sim, sms)
