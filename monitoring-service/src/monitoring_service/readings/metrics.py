"""What ingestion counts."""

from prometheus_client import Counter

STORED = Counter("monitoring_readings_stored_total", "Readings stored")
DUPLICATES = Counter("monitoring_readings_duplicate_total", "Readings that were in the store already")
