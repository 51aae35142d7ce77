"""rabbitmq.conf, for the native node and for the container: the same keys work with 3.10 and 4.x."""

from dataclasses import dataclass

from fleet_contracts.telemetry import MAX_BYTES
from fleet_contracts.topology import DEVICES_VHOST, TELEMETRY_EXCHANGE
from fleet_infra.device_limits import SUBSCRIPTION_EXPIRES_SECONDS

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""A megabyte of readings over HTTP can be three of them when device-service has written them anew."""
MAX_MQTT_PACKET_BYTES = MAX_BYTES + 1024
"""A message of MAX_BYTES with its topic."""


@dataclass(frozen=True)
class Listeners:
    """Where the broker listens."""

    amqp: str
    mqtt: str
    management_port: int
    management_address: str
    prometheus_port: int
    prometheus_address: str


BASE = f"""
# What a device may do is decided by device-service and remembered for ten seconds: the delay of a revocation.
default_vhost = /
loopback_users = none
mqtt.allow_anonymous = false
mqtt.vhost = {DEVICES_VHOST}
mqtt.exchange = {TELEMETRY_EXCHANGE}
mqtt.prefetch = 50
# A device with keep-alive 0 whose network is gone leaves a session behind that only TCP can end. The kernel
# says when (net.ipv4.tcp_keepalive_time, of containers in docker-compose.yml): the management API fails where
# a listener has such options (raw) of its own.
mqtt.tcp_listen_options.backlog = 128
mqtt.tcp_listen_options.nodelay = true
mqtt.tcp_listen_options.keepalive = true
# Devices read only commands, so nobody reads what they ask to be retained; the store of it has no limit.
mqtt.retained_message_store = rabbit_mqtt_retained_msg_store_noop

# Enough for a fleet on one machine; the default keeps half a gigabyte of log in memory.
raft.wal_max_size_bytes = 67108864
disk_free_limit.absolute = 200MB
heartbeat = 30
channel_max = 128
max_message_size = {MAX_MESSAGE_BYTES}
management.rates_mode = basic
collect_statistics_interval = 10000
log.console = true
log.console.level = warning
log.file = false
"""

ADVANCED = f"""
%% Of RabbitMQ 4; RabbitMQ 3.10 would refuse them in rabbitmq.conf, and there max_message_size bounds MQTT.
[{{rabbitmq_mqtt, [
  {{max_packet_size_authenticated, {MAX_MQTT_PACKET_BYTES}}},
  {{max_session_expiry_interval_seconds, {SUBSCRIPTION_EXPIRES_SECONDS}}}
]}}].
"""

# Logins are not remembered: one that was admitted a moment ago may be one too many now.
DEVICE_BACKEND = """
auth_backends.1 = internal
auth_backends.2.authn = http
auth_backends.2.authz = cache
auth_cache.cached_backend = http
auth_cache.cache_ttl = 10000
auth_http.http_method = post
auth_http.user_path = {base}/internal/broker/user
auth_http.vhost_path = {base}/internal/broker/vhost
auth_http.resource_path = {base}/internal/broker/resource
auth_http.topic_path = {base}/internal/broker/topic
"""


CONTAINER_WATERMARK_BYTES = 400 * 1024 * 1024
"""Of memory in use: publishers wait above it. RabbitMQ takes the machine's memory for its own, whatever the
container may use, and would be killed before any share of that: https://github.com/rabbitmq/rabbitmq-server/issues/10974."""
SHARE_OF_MACHINE = "vm_memory_high_watermark.relative = 0.4"


def rabbitmq_conf(
    listeners: Listeners,
    definitions_file: str,
    device_service: str | None,
    *,
    watermark_bytes: int | None = None,
) -> str:
    """Text of rabbitmq.conf; without `device_service` (a base address) only the broker's own users exist.

    `watermark_bytes`: memory in use above which publishers wait, for a broker with a limit of its own.
    """
    absolute = f"vm_memory_high_watermark.absolute = {watermark_bytes}"
    lines = [
        f"listeners.tcp.1 = {listeners.amqp}",
        f"mqtt.listeners.tcp.1 = {listeners.mqtt}",
        f"management.tcp.ip = {listeners.management_address}",
        f"management.tcp.port = {listeners.management_port}",
        f"prometheus.tcp.ip = {listeners.prometheus_address}",
        f"prometheus.tcp.port = {listeners.prometheus_port}",
        f"load_definitions = {definitions_file}",
        SHARE_OF_MACHINE if watermark_bytes is None else absolute,
    ]
    backend = DEVICE_BACKEND.format(base=device_service) if device_service else ""
    return "\n".join(lines) + "\n" + BASE + backend
