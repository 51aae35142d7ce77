"""Messages as v1, v2 and the SMS forwarder write them."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from once_sandbox.behaviours.schemas import Behaviours
from once_sandbox.sims import identity
from once_sandbox.sims.models import Sim
from once_sandbox.sms.models import ADDRESS_TYPES, BUFFERED, PENDING, STATUSES, TYPES, Sms
from once_sandbox.wire import Json, Text, optional_zulu, present, zulu

MSC = "491600190000"


class SourceAddressType(BaseModel):
    """145 international, 161 national, 208 alphanumeric."""

    id: Literal[145, 161, 208] = 145


def _as_object(value: object) -> object:
    return {"id": value} if isinstance(value, int) else value


class SmsMessage(BaseModel):
    """A message to send; only `payload` is needed."""

    model_config = ConfigDict(str_max_length=2000)

    payload: Text
    source_address: Text = "1nce"
    udh: Text = ""
    dcs: int = 0
    source_address_type: Annotated[SourceAddressType, BeforeValidator(_as_object)] = SourceAddressType()
    expiry_date: datetime | None = None


def sms_v1(sim: Sim, sms: Sms) -> Json:
    """v1's message."""
    return _common(sim, sms, STATUSES[sms.status], sms.status) | {
        "retry_count": str(sms.retries),
        "msc": MSC,
        "source_address_type": {"id": sms.source_type},
    }


def sms_v2(sim: Sim, sms: Sms, behaviours: Behaviours) -> Json:
    """v2's message, whose specification has no BUFFERED."""
    status = PENDING if sms.status == BUFFERED and not behaviours.buffered_in_v2 else sms.status
    return _common(sim, sms, STATUSES[status], status) | {
        "retry_count": sms.retries,
        "msc": int(MSC),
        "pid": 0,
        "endpoint": {"id": identity.endpoint_id(sim.index), "name": sim.iccid},
        "sim_id": identity.sim_id(sim.index),
        "source_address_type": {"id": sms.source_type, "description": ADDRESS_TYPES[sms.source_type]},
    }


def _common(sim: Sim, sms: Sms, status: str, status_id: int) -> Json:
    return present(
        id=sms.id,
        submit_date=zulu(sms.submitted_at),
        delivery_date=optional_zulu(sms.delivered_at),
        expiry_date=zulu(sms.expires_at),
        final_date=optional_zulu(sms.final_at),
        retry_date=optional_zulu(sms.retry_at),
        last_delivery_attempt=optional_zulu(sms.attempted_at),
        source_address=sms.source_address,
        iccid=sms.iccid,
        msisdn=sim.msisdn,
        imsi=sim.imsi,
        dcs=sms.dcs,
        udh=sms.udh or None,
        payload=sms.payload,
        status={"id": status_id, "description": status},
        sms_type={"id": sms.type, "description": TYPES[sms.type]},
    )


def received_record(sim: Sim, sms: Sms) -> Json:
    """What the SMS forwarder posts for a message from the SIM."""
    return present(
        id=sms.id,
        payload=sms.payload,
        submit_date=zulu(sms.submitted_at),
        dest_address=sms.dest_address,
        source_address=sms.source_address,
        dcs=sms.dcs,
        endpoint={"id": identity.endpoint_id(sim.index), "name": sim.iccid},
        multi_part_info=_parts(sms.udh),
    )


def report_record(sim: Sim, sms: Sms) -> Json:
    """What the SMS forwarder patches for a message to the SIM that reached its end."""
    return present(
        id=sms.id,
        submit_date=zulu(sms.submitted_at),
        delivery_date=optional_zulu(sms.delivered_at),
        final_date=optional_zulu(sms.final_at),
        dest_address=sms.dest_address,
        source_address=sms.source_address,
        status={"id": sms.status, "description": STATUSES[sms.status]},
        endpoint={"id": identity.endpoint_id(sim.index), "name": sim.iccid},
    )


def _parts(udh: str) -> Json | None:
    if len(udh) != 12 or not udh.startswith("050003"):
        return None
    return {"identifier": int(udh[6:8], 16), "total": int(udh[8:10], 16), "partno": int(udh[10:12], 16)}
