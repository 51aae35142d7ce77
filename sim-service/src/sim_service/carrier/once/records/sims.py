"""SIMs, usage and quotas. Direction: in REST `rx` is what the SIM sent (MO), `tx` what it received (MT)."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sim_service.carrier.facts import CarrierQuota, CarrierSim, QuotaKind, QuotaState, SimStatus, UsageDay
from sim_service.carrier.once import values
from sim_service.iccid import is_iccid

_STATUSES = {
    "enabled": SimStatus.ENABLED,
    "activated": SimStatus.ENABLED,  # seen in answers for a single SIM
    "disabled": SimStatus.DISABLED,
}
_LIST_QUOTA_STATES = {0: QuotaState.OK, 1: QuotaState.LOW, 2: QuotaState.EXHAUSTED}
_V2_QUOTA_EXHAUSTED, _V2_QUOTA_EXPIRED = 0, 2
_TOTAL_ROW = "TOTAL"
_DEFAULT_THRESHOLD = 20

Record = Mapping[str, Any]


def sim(record: Any) -> CarrierSim | None:
    """A SIM from a list or a single answer; None where it does not even carry an ICCID."""
    if not isinstance(record, Mapping):
        return None
    iccid = values.text(record, "iccid")
    if iccid is None or not is_iccid(iccid):
        return None
    status = (values.text(record, "status") or "").lower()
    return CarrierSim(
        iccid=iccid,
        status=_STATUSES.get(status, SimStatus.UNKNOWN),
        iccid_with_luhn=values.text(record, "iccid_with_luhn", longest=22),
        imsi=values.text(record, "imsi", longest=20),
        imsi_2=values.text(record, "imsi_2", longest=20),
        current_imsi=values.text(record, "current_imsi", longest=20),
        msisdn=values.text(record, "msisdn", longest=20),
        imei=values.text(record, "imei", longest=20),
        imei_lock=values.flag(record, "imei_lock"),
        ip_address=values.text(record, "ip_address", longest=45),
        label=values.text(record, "label") or "",
        activated_at=values.moment(record, "activation_date"),
        data_quota_state=_listed_state(record, "quota_status"),
        sms_quota_state=_listed_state(record, "quota_status_SMS"),
    )


def _listed_state(record: Record, name: str) -> QuotaState | None:
    state = values.whole(values.nested(record, name), "id")
    return None if state is None else _LIST_QUOTA_STATES.get(state)


def usage_day(record: Any) -> UsageDay | None:
    """A row of `stats`; None for the TOTAL row and for rows without a readable date."""
    if not isinstance(record, Mapping) or record.get("date") == _TOTAL_ROW:
        return None
    day = values.day(record, "date")
    if day is None:
        return None
    data, sms = values.nested(record, "data"), values.nested(record, "sms")
    return UsageDay(
        day=day,
        data_mo_bytes=values.megabytes(data, "volume_rx"),
        data_mt_bytes=values.megabytes(data, "volume_tx"),
        sms_mo=max(0, values.whole(sms, "volume_rx") or 0),
        sms_mt=max(0, values.whole(sms, "volume_tx") or 0),
    )


def quota(record: Any, kind: QuotaKind) -> CarrierQuota | None:
    """A quota of v1 or v2 form; None where it does not say what is left."""
    if not isinstance(record, Mapping):
        return None
    remaining = values.volume(record, "volume")
    if remaining is None:
        return None
    total = values.volume(record, "total_volume") or Decimal(0)
    threshold = values.whole(record, "threshold_percentage")
    threshold = _DEFAULT_THRESHOLD if threshold is None else min(100, max(0, threshold))
    return CarrierQuota(
        kind=kind,
        remaining=remaining,
        total=total,
        threshold_percent=threshold,
        expires_at=values.moment(record, "expiry_date"),
        last_added=values.volume(record, "last_volume_added"),
        changed_at=values.moment(record, "last_status_change_date"),
        state=_quota_state(values.nested(record, "status"), remaining, total, threshold),
    )


def _quota_state(status: Record, remaining: Decimal, total: Decimal, threshold: int) -> QuotaState:
    """v2 says EXHAUSTED and EXPIRED itself; LOW, and everything in v1, follows from the volumes."""
    said = values.whole(status, "id")
    if said == _V2_QUOTA_EXPIRED:
        return QuotaState.EXPIRED
    if said == _V2_QUOTA_EXHAUSTED or remaining <= 0:
        return QuotaState.EXHAUSTED
    return QuotaState.LOW if remaining * 100 <= total * threshold else QuotaState.OK
