"""SIMs, usage and quotas. Direction: in REST `rx` is what the SIM sent (MO), `tx` what it received (MT)."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sim_service.carrier.models import CarrierQuota, CarrierSim, QuotaKind, QuotaState, SimStatus, UsageDay
from sim_service.carrier.once import fields
from sim_service.carrier.once.fields import Record
from sim_service.platform.iccid import is_iccid

_STATUSES = {
    "enabled": SimStatus.ENABLED,
    "activated": SimStatus.ENABLED,  # seen in answers for a single SIM
    "disabled": SimStatus.DISABLED,
}
_LIST_QUOTA_STATES = {0: QuotaState.OK, 1: QuotaState.LOW, 2: QuotaState.EXHAUSTED}
_V2_QUOTA_EXHAUSTED, _V2_QUOTA_EXPIRED = 0, 2
_TOTAL_ROW = "TOTAL"
_DEFAULT_THRESHOLD = 20


def sim(record: Record) -> CarrierSim | None:
    """A SIM from a list or a single answer; None where it does not even carry an ICCID."""
    iccid = fields.text(record, "iccid")
    if iccid is None or not is_iccid(iccid):
        return None
    status = (fields.text(record, "status") or "").lower()
    return CarrierSim(
        iccid=iccid,
        status=_STATUSES.get(status, SimStatus.UNKNOWN),
        iccid_with_luhn=fields.text(record, "iccid_with_luhn", max_length=22),
        imsi=fields.text(record, "imsi", max_length=20),
        imsi_2=fields.text(record, "imsi_2", max_length=20),
        current_imsi=fields.text(record, "current_imsi", max_length=20),
        msisdn=fields.text(record, "msisdn", max_length=20),
        imei=fields.text(record, "imei", max_length=20),
        imei_lock=fields.flag(record, "imei_lock"),
        ip_address=fields.text(record, "ip_address", max_length=45),
        label=fields.text(record, "label") or "",
        activated_at=fields.moment(record, "activation_date"),
        data_quota_state=_listed_state(record, "quota_status"),
        sms_quota_state=_listed_state(record, "quota_status_SMS"),
    )


def _listed_state(record: Record, name: str) -> QuotaState | None:
    state = fields.whole(fields.nested(record, name), "id")
    return None if state is None else _LIST_QUOTA_STATES.get(state)


def usage_day(record: Any) -> UsageDay | None:
    """A row of `stats`; None for the TOTAL row and for rows without a readable date."""
    if not isinstance(record, Mapping) or record.get("date") == _TOTAL_ROW:
        return None
    day = fields.day(record, "date")
    if day is None:
        return None
    data, sms = fields.nested(record, "data"), fields.nested(record, "sms")
    return UsageDay(
        day=day,
        data_mo_bytes=fields.megabytes(data, "volume_rx"),
        data_mt_bytes=fields.megabytes(data, "volume_tx"),
        sms_mo=max(0, fields.whole(sms, "volume_rx") or 0),
        sms_mt=max(0, fields.whole(sms, "volume_tx") or 0),
    )


def quota(record: Record, kind: QuotaKind) -> CarrierQuota | None:
    """A quota of v1 or v2 form; None where it does not say what is left."""
    remaining = fields.volume(record, "volume")
    if remaining is None:
        return None
    total = fields.volume(record, "total_volume") or Decimal(0)
    threshold = fields.whole(record, "threshold_percentage")
    threshold = _DEFAULT_THRESHOLD if threshold is None else min(100, max(0, threshold))
    return CarrierQuota(
        kind=kind,
        remaining=remaining,
        total=total,
        threshold_percent=threshold,
        expires_at=fields.moment(record, "expiry_date"),
        last_added=fields.volume(record, "last_volume_added"),
        changed_at=fields.moment(record, "last_status_change_date"),
        state=_quota_state(fields.nested(record, "status"), remaining, total, threshold),
    )


def _quota_state(status: Record, remaining: Decimal, total: Decimal, threshold: int) -> QuotaState:
    """v2 says EXHAUSTED and EXPIRED itself; LOW, and everything in v1, follows from the volumes."""
    said = fields.whole(status, "id")
    if said == _V2_QUOTA_EXPIRED:
        return QuotaState.EXPIRED
    if said == _V2_QUOTA_EXHAUSTED or remaining <= 0:
        return QuotaState.EXHAUSTED
    return QuotaState.LOW if remaining * 100 <= total * threshold else QuotaState.OK
