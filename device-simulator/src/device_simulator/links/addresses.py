"""Where the platform listens."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Addresses:
    """The gateway's URL, host and port of the broker's MQTT and AMQP listeners, and a login for the latter.

    Devices' keys do not open AMQP: `amqp_user` is a trusted producer, empty where there is none.
    """

    gateway_url: str
    mqtt_host: str
    mqtt_port: int
    amqp_host: str
    amqp_port: int
    amqp_vhost: str = "/"
    amqp_user: str = ""
    amqp_password: str = field(default="", repr=False)
