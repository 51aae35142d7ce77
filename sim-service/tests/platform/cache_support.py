"""The read cache for tests."""

from sim_service.platform.cache.service import READS, CachedRead

TTL = dict.fromkeys(CachedRead, 60.0)


def reads(what: CachedRead, outcome: str) -> float:
    return float(READS.labels(what, outcome)._value.get())
