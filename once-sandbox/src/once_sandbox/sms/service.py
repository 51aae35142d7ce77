"""Sending, receiving, reading and cancelling messages."""

from once_sandbox.clock import DAY, as_moment
from once_sandbox.errors import ApiError
from once_sandbox.sims.models import Sim
from once_sandbox.sims.service import changeable
from once_sandbox.sms.alphabet import check
from once_sandbox.sms.models import DEFAULT_LIFETIME, DELIVERED, FAILED, MO, MT, Sms
from once_sandbox.sms.schemas import SmsMessage, received_record
from once_sandbox.usage.booking import book_sms
from once_sandbox.world import World


def send(world: World, iccid: str, message: SmsMessage) -> Sms:
    """Take a message for the SIM; raises ApiError 400 if it does not fit into one."""
    sim = changeable(world, [iccid])[0]
    check(message.payload, message.dcs, message.udh)
    now = world.clock.now()
    expires = now + DEFAULT_LIFETIME if message.expiry_date is None else as_moment(message.expiry_date)
    if not now < expires <= now + 7 * DAY:
        raise ApiError(400, "expiry_date: must be in the future, within 7 days")
    sms = Sms(
        id=world.sms.new_id(),
        iccid=sim.iccid,
        type=MT,
        payload=message.payload,
        dcs=message.dcs,
        submitted_at=now,
        expires_at=expires,
        source_address=message.source_address,
        dest_address=sim.msisdn,
        source_type=message.source_address_type.id,
        udh=message.udh,
    )
    world.sms.add(sms)
    world.schedule.plan(now + world.behaviours.delivery_seconds, "sms.deliver", number=sms.id)
    world.schedule.plan(expires, "sms.expire", number=sms.id)
    return sms


def receive(world: World, sim: Sim, message: SmsMessage, dest_address: str) -> Sms | None:
    """The SIM sends a message; None if its quota or limit does not allow it."""
    check(message.payload, message.dcs, message.udh)
    now = world.clock.now()
    if not sim.enabled or not book_sms(world, sim, sent_by_sim=True):
        return None
    sms = Sms(
        id=world.sms.new_id(),
        iccid=sim.iccid,
        type=MO,
        payload=message.payload,
        dcs=message.dcs,
        submitted_at=now,
        expires_at=now + DEFAULT_LIFETIME,
        source_address=sim.msisdn,
        dest_address=dest_address,
        udh=message.udh,
        status=DELIVERED,
        delivered_at=now,
        final_at=now,
    )
    world.sms.add(sms)
    world.tell("sms_received", lambda: received_record(sim, sms))
    return sms


def find(world: World, iccid: str, number: str) -> Sms:
    """One message of the SIM; raises ApiError 400 for an impossible id, 404 for an unknown one."""
    if not number.isascii() or not number.isdigit() or len(number) > 18:
        raise ApiError(400, f'Cannot parse parameter id as Long: For input string: "{number[:40]}"')
    for sms in world.sms.of(iccid, world.clock.now()):
        if sms.id == int(number):
            return sms
    raise ApiError(404, f"SMS {number} of SIM {iccid} not found")


def cancel(world: World, sms: Sms) -> bool:
    """Stop a message that was not delivered yet; False if it is too late."""
    if not sms.waiting:
        return False
    sms.status, sms.final_at = FAILED, world.clock.now()
    return True
