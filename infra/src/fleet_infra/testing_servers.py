"""Servers that several test runs share.

`python -m fleet_infra.testing_servers start --file servers.json` runs them until it is stopped;
`python -m fleet_infra.testing_servers run -- pytest -n 2` runs them for one command.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from fleet_infra.scratch import SHARED, shared_file
from fleet_infra.testing import ALL, choose_servers


def main() -> int:
    """Do as the command line says; the exit status, of `run` the command's."""
    parser = argparse.ArgumentParser(prog="python -m fleet_infra.testing_servers", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    start = actions.add_parser("start", help="until SIGTERM or SIGINT")
    start.add_argument("--file", type=Path, required=True, help="exists while they can be used")
    run = actions.add_parser("run", help="for one command, which finds them by itself")
    run.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    if arguments.action == "run":
        return _run(arguments.command)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    return _with_servers(arguments.file, lambda: 0 if ended.wait() else 1)


def _run(command: list[str]) -> int:
    if shared_file() is not None:
        return subprocess.run(command, check=False).returncode
    with tempfile.TemporaryDirectory(prefix="fleet-servers-") as folder:
        file = Path(folder) / "servers.json"
        environment = os.environ | {SHARED: str(file)}
        return _with_servers(file, lambda: subprocess.run(command, env=environment, check=False).returncode)


def _with_servers(file: Path, work: Callable[[], int]) -> int:
    servers = choose_servers()
    try:
        servers.start(*ALL)
        servers.addresses.write(file)
        print(f"servers are running; {SHARED}={file.absolute()}", flush=True)
        return work()
    finally:
        file.unlink(missing_ok=True)
        servers.stop()


if __name__ == "__main__":
    sys.exit(main())
