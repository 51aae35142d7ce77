"""Where the platform listens."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Addresses:
    """The doors for devices: the gateway's URL, and host and port of the broker's MQTT and AMQP listeners."""

    gateway_url: str
    mqtt_host: str
    mqtt_port: int
    amqp_host: str
    amqp_port: int
    amqp_vhost: str = "/"
