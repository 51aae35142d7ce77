from prometheus_client import Counter

REJECTED = Counter("monitoring_readings_rejected_total", "Readings or messages refused", ["code"])
