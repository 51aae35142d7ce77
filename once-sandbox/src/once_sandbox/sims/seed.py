"""New cards with a believable past, the same for the same seed."""

from once_sandbox.chance import share
from once_sandbox.clock import DAY
from once_sandbox.quotas.models import DATA_GRANT, SMS_GRANT, THRESHOLD_PERCENT, Quota
from once_sandbox.sims import identity
from once_sandbox.sims.models import Sim

LIFETIME_DAYS = 3652
PLAIN_SIMS = 10
"""The first cards are all enabled, with quota left: examples and demos can rely on them."""

_AGE, _STATUS, _IMEI, _LABEL, _LOCK, _FILL, _KIND, _SMS, _EXPIRY = range(9)


def seeded_sim(seed: int, index: int, now: float, *, fresh: bool = False) -> Sim:
    """Card number `index`; `fresh`: just delivered, without any past."""
    plain = fresh or index < PLAIN_SIMS

    def chance(purpose: int) -> float:
        return share(seed, index, purpose)

    age = 0.0 if fresh else (30 + int(chance(_AGE) * 700)) * DAY + chance(_EXPIRY) * DAY
    activated = now - age
    expires = activated + LIFETIME_DAYS * DAY
    if not plain and chance(_EXPIRY) < 0.01:
        expires = now - DAY * (1 + int(chance(_FILL) * 60))
    data_used = 0 if fresh else int(DATA_GRANT * _filling(chance(_KIND), chance(_FILL), plain=plain))
    sms_used = 0 if fresh else int(SMS_GRANT * chance(_SMS) * 0.4)
    return Sim(
        index=index,
        iccid=identity.iccid(index),
        enabled=plain or chance(_STATUS) >= 0.08,
        label="" if fresh or chance(_LABEL) < 0.2 else f"DX-{index // 100 + 100}-B{index % 100:02d}",
        imei=None if fresh or (not plain and chance(_IMEI) < 0.15) else identity.imeisv(index),
        imei_lock=not plain and chance(_LOCK) < 0.05,
        activated_at=activated,
        data=_quota(DATA_GRANT, data_used, activated, expires, now),
        sms=_quota(SMS_GRANT, sms_used, activated, expires, now),
        before_data=data_used,
        before_sms=sms_used,
    )


def _filling(kind: float, fill: float, *, plain: bool) -> float:
    """The used part of the data quota: most cards have plenty left, some little, a few nothing."""
    if plain or kind >= 0.05:
        return fill * 0.7
    return 0.82 + fill * 0.15 if kind >= 0.01 else 1.0 + fill * 0.002


def _quota(granted: int, used: int, activated: float, expires: float, now: float) -> Quota:
    low = granted - used <= granted * THRESHOLD_PERCENT / 100
    return Quota(
        granted=granted,
        used=used,
        total=granted,
        added=granted,
        expires_at=expires,
        changed_at=now - DAY if low else activated,
        threshold_at=now - 5 * DAY if low else None,
        exceeded_at=now - DAY if used >= granted else None,
    )
