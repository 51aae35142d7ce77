import errno
import random
import socket
from pathlib import Path

BELOW_EPHEMERAL = range(15_000, 32_000)
"""The kernel gives the ports above to outgoing connections, which could take one before its server does."""


def free_ports(count: int) -> list[int]:
    """Several different TCP ports of the loopback interface that nobody listens on at this moment."""
    found: list[int] = []
    for port in random.sample(BELOW_EPHEMERAL, len(BELOW_EPHEMERAL)):
        if len(found) == count:
            break
        if not is_taken(port):
            found.append(port)
    return found


def free_port() -> int:
    """One such port."""
    return free_ports(1)[0]


def lowest_port() -> int:
    """The first that programs without privileges may listen on, as this machine is configured."""
    return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="utf-8"))


def is_taken(port: int, address: str = "127.0.0.1") -> bool:
    """Whether something listens on the port already, so that a server could not."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise
    return False


def accepts(port: int, address: str = "127.0.0.1") -> bool:
    """Whether a connection to the port is accepted."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0
