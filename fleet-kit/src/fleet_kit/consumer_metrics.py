"""What consumers count."""

from prometheus_client import Counter, Gauge, Histogram

MESSAGES = Counter("fleet_consumer_messages_total", "Messages by what became of them", ["queue", "outcome"])
PAUSES = Counter(
    "fleet_consumer_pauses_total", "Times a batch was held because a dependency was unavailable", ["queue"]
)
RESTARTS = Counter(
    "fleet_consumer_restarts_total", "Times a consumer lost its connection and began again", ["queue"]
)
BATCH_SECONDS = Histogram("fleet_consumer_batch_seconds", "Time to handle one batch", ["queue"])
DROPPED = Counter(
    "fleet_dead_letters_dropped_total",
    "Dead letters that were dropped because the queue that keeps them was full",
    ["queue"],
)
DEAD_LETTERS = Gauge("fleet_dead_letters", "Dead letters of the queue that wait for somebody", ["queue"])
