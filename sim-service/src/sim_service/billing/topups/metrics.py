"""Figures about purchases."""

from prometheus_client import Counter

RECONCILIATIONS = Counter(
    "sim_topup_looks_total", "Looks for purchases of unknown outcome, by what they gave.", ["gave"]
)
BOOKED = Counter("sim_topups_booked_total", "Purchases whose volume was booked.")
