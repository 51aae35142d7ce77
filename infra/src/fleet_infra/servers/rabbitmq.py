"""RabbitMQ as a private node: its own ports, cookie, port mapper and folders, beside any other."""

import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from fleet_infra.broker_config import ADVANCED
from fleet_infra.files import write_private
from fleet_infra.servers.accounts import ACCOUNT
from fleet_infra.servers.base import NotReady, Process
from fleet_infra.servers.outside import give, is_outside, settle
from fleet_infra.servers.ports import accepts

PLUGINS = (
    "rabbitmq_management",
    "rabbitmq_mqtt",
    "rabbitmq_prometheus",
    "rabbitmq_auth_backend_http",
    "rabbitmq_auth_backend_cache",
)
CONFIGURATION = ("rabbitmq.conf", "advanced.config", "definitions.json", "enabled_plugins")
PROGRAMS = Path("/usr/lib/rabbitmq/bin")
"""Debian's /usr/sbin/rabbitmq-server insists on the system's own node and user; the scripts here do not."""

RELEASES = Path("/usr/lib/rabbitmq/lib")
BOUNDS_PACKETS_SINCE = 4
"""Major version. RabbitMQ 3.10 keeps the beginning of an MQTT packet in memory, whatever length it claims."""

SPARING = "+sbwt none +sbwtdcpu none +sbwtdio none"
"""Schedulers without work sleep at once instead of spinning: the fleet shares few processors."""


def bounds_packets() -> bool:
    """Whether the installed RabbitMQ refuses an MQTT packet that is too large before it is whole."""
    found = [re.match(r"rabbitmq_server-(\d+)", folder.name) for folder in RELEASES.glob("rabbitmq_server-*")]
    majors = [int(match[1]) if match else 0 for match in found]
    return min(majors, default=0) >= BOUNDS_PACKETS_SINCE


@dataclass(frozen=True)
class RabbitPorts:
    """Every port of one node; all but `mqtt` stay on the loopback interface."""

    amqp: int
    mqtt: int
    management: int
    prometheus: int
    distribution: int
    mapper: int


@dataclass
class RabbitServer:
    """One node in `folder` that boots with the given configuration and definitions."""

    folder: Path
    ports: RabbitPorts
    configuration: str
    definitions: str
    user: str
    password: str
    name: str = "rabbitmq"
    address: str = "127.0.0.1"
    """Where this machine reaches the MQTT port."""
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def management_url(self) -> str:
        """Address of the management API."""
        return f"http://127.0.0.1:{self.ports.management}"

    def amqp_url(self) -> str:
        """AMQP address of the administrator."""
        return f"amqp://{self.user}:{self.password}@127.0.0.1:{self.ports.amqp}"

    @property
    def definitions_file(self) -> Path:
        """File the node loads at every boot."""
        return self.folder.resolve() / "definitions.json"

    def prepare(self) -> None:
        """Write configuration, definitions, plugins and the cookie."""
        account = settle(self.folder, self.ports.management)
        self._write_files()
        if account is not None:
            give(self.folder.resolve(), account)

    def _write_files(self) -> None:
        for name in ("", "home", "mnesia", "log"):
            (self.folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        # Its user may not be able to enter the folder by the path it was asked for.
        configuration = self.configuration.replace(str(self.folder.absolute()), str(self.folder.resolve()))
        write_private(self.folder / "rabbitmq.conf", configuration)
        write_private(self.folder / "advanced.config", ADVANCED)
        write_private(self.definitions_file, self.definitions)
        write_private(self.folder / "enabled_plugins", f"[{','.join(PLUGINS)}].\n")
        cookie = self.folder / "home" / ".erlang.cookie"
        if not cookie.exists():
            write_private(cookie, secrets.token_hex(20))
            cookie.chmod(0o400)

    def processes(self) -> list[Process]:
        """The Erlang port mapper, which would otherwise outlive the broker as a daemon, and the broker."""
        folder = self.folder.resolve()
        environment = self._environment()
        user = ACCOUNT if is_outside(self.folder) else None
        mapper = ("epmd", "-address", "127.0.0.1", "-port", str(self.ports.mapper))
        return [
            Process("epmd", mapper, folder, environment, user=user, priority=5),
            Process(
                self.name,
                (str(PROGRAMS / "rabbitmq-server"),),
                folder,
                environment,
                user=user,
                stop_seconds=40,
                priority=10,
                files=tuple(folder / name for name in CONFIGURATION),
            ),
        ]

    def check(self) -> None:
        """The listeners are open (they open after the definitions are loaded) and the API knows our user."""
        for port, address in ((self.ports.amqp, "127.0.0.1"), (self.ports.mqtt, self.address)):
            if not accepts(port, address):
                raise NotReady(f"rabbitmq does not listen on port {port} yet")
        try:
            answer = httpx.get(
                f"{self.management_url}/api/whoami", auth=(self.user, self.password), timeout=3
            )
        except httpx.HTTPError as error:
            raise NotReady(f"rabbitmq management on port {self.ports.management}: {error!r}") from error
        if answer.status_code != httpx.codes.OK:
            raise NotReady(f"rabbitmq management answers {answer.status_code}")

    def _environment(self) -> dict[str, str]:
        folder = self.folder.resolve()
        ports = self.ports
        return {
            "HOME": str(folder / "home"),
            "LANG": "C.UTF-8",
            "RABBITMQ_NODENAME": "fleet@localhost",
            "RABBITMQ_NODE_PORT": str(ports.amqp),
            "RABBITMQ_DIST_PORT": str(ports.distribution),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(folder / "rabbitmq.pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{SPARING} -kernel inet_dist_use_interface {{127,0,0,1}}",
            "ERL_EPMD_PORT": str(ports.mapper),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            # Without it the script stays in front of the broker instead of becoming it.
            "RUNNING_UNDER_SYSTEMD": "true",
            **self.environment,
        }
