"""What is measured of every call to a carrier."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter(
    "carrier_requests_total", "Requests sent to the carrier.", ["operation", "version", "outcome"]
)
SECONDS = Histogram(
    "carrier_request_seconds",
    "Time from sending a request to its whole answer.",
    ["operation"],
    buckets=(0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)
WAIT_SECONDS = Histogram(
    "carrier_turn_wait_seconds",
    "Time a request waited for a slot under the rate limit.",
    ["priority"],
    buckets=(0.001, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
LOCAL_SLOTS = Counter(
    "carrier_local_turns_total", "Slots given without Redis, from this process's own share."
)
TOKEN_REFRESHES = Counter("carrier_token_refreshes_total", "Access tokens asked of the carrier.", ["outcome"])
BREAKER_OPEN = Gauge("carrier_breaker_open", "1 while the carrier is not asked because it keeps failing.")
REFUSED = Counter("carrier_breaker_refusals_total", "Calls refused because the breaker was open.")
