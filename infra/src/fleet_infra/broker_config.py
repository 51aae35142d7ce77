"""rabbitmq.conf, for the native node and for the container: the same keys work with 3.10 and 4.x."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Listeners:
    """Where the broker listens."""

    amqp: str
    mqtt: str
    management_port: int
    management_address: str
    prometheus_port: int
    prometheus_address: str


BASE = """
# What a device may do is decided by device-service and remembered for ten seconds: the delay of a revocation.
default_vhost = /
loopback_users = none
mqtt.allow_anonymous = false
mqtt.vhost = /
mqtt.exchange = amq.topic
mqtt.prefetch = 50

# Enough for a fleet on one machine; the default keeps half a gigabyte of log in memory.
raft.wal_max_size_bytes = 67108864
vm_memory_high_watermark.relative = 0.4
disk_free_limit.absolute = 200MB
heartbeat = 30
channel_max = 2047
management.rates_mode = basic
collect_statistics_interval = 10000
log.console = true
log.console.level = warning
log.file = false
"""

DEVICE_BACKEND = """
auth_backends.1 = internal
auth_backends.2 = cache
auth_cache.cached_backend = http
auth_cache.cache_ttl = 10000
auth_http.http_method = post
auth_http.user_path = {base}/internal/broker/user
auth_http.vhost_path = {base}/internal/broker/vhost
auth_http.resource_path = {base}/internal/broker/resource
auth_http.topic_path = {base}/internal/broker/topic
"""


def rabbitmq_conf(listeners: Listeners, definitions_file: str, device_service: str | None) -> str:
    """Text of rabbitmq.conf; without `device_service` (a base address) only the broker's own users exist."""
    lines = [
        f"listeners.tcp.1 = {listeners.amqp}",
        f"mqtt.listeners.tcp.1 = {listeners.mqtt}",
        f"management.tcp.ip = {listeners.management_address}",
        f"management.tcp.port = {listeners.management_port}",
        f"prometheus.tcp.ip = {listeners.prometheus_address}",
        f"prometheus.tcp.port = {listeners.prometheus_port}",
        f"load_definitions = {definitions_file}",
    ]
    backend = DEVICE_BACKEND.format(base=device_service) if device_service else ""
    return "\n".join(lines) + "\n" + BASE + backend
