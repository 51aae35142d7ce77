"""What consumers count."""

from prometheus_client import Counter, Histogram

MESSAGES = Counter("fleet_consumer_messages_total", "Messages by what became of them", ["queue", "outcome"])
PAUSES = Counter(
    "fleet_consumer_pauses_total", "Times a batch was held because a dependency was unavailable", ["queue"]
)
BATCH_SECONDS = Histogram("fleet_consumer_batch_seconds", "Time to handle one batch", ["queue"])
