"""`python -m fleet_infra.testing_servers start --file servers.json`: servers that several test runs share."""

import argparse
import signal
import threading
from pathlib import Path

from fleet_infra.scratch import ScratchServers


def main() -> None:
    """Run the servers until SIGTERM or SIGINT; the file exists while they can be used."""
    parser = argparse.ArgumentParser(prog="python -m fleet_infra.testing_servers", description=__doc__)
    parser.add_argument("action", choices=["start"])
    parser.add_argument("--file", type=Path, required=True, help="where to write the addresses")
    arguments = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    servers = ScratchServers()
    try:
        servers.start("postgres", "redis", "rabbitmq", "mongo")
        servers.addresses.write(arguments.file)
        print(f"running; use FLEET_TEST_SERVERS={arguments.file.absolute()}", flush=True)
        ended.wait()
    finally:
        arguments.file.unlink(missing_ok=True)
        servers.stop()


if __name__ == "__main__":
    main()
