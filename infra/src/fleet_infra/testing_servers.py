"""Servers that several test runs share.

`python -m fleet_infra.testing_servers start` keeps some running in the background until `stop`, or until no
test run has asked for them for two hours; every later test run of this clone finds them by itself.
`python -m fleet_infra.testing_servers run -- pytest -n 2` runs fresh ones for one command.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from fleet_infra.background_servers import BackgroundServers
from fleet_infra.scratch import SHARED
from fleet_infra.testing import ALL, choose_servers

START_SECONDS = 120.0
IDLE_SECONDS = 2 * 60 * 60.0
CHECK_SECONDS = 20.0


def main() -> int:
    """Do as the command line says; the exit status, of `run` the command's."""
    parser = argparse.ArgumentParser(prog="python -m fleet_infra.testing_servers", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("start", help="in the background, for all test runs of this clone")
    actions.add_parser("stop", help="those that `start` started")
    serve = actions.add_parser("serve", help="in the foreground, until SIGTERM, SIGINT or idle")
    serve.add_argument("--file", type=Path, required=True, help="exists while they can be used")
    run = actions.add_parser("run", help="fresh ones for one command, which finds them by itself")
    run.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    servers = BackgroundServers.of_clone()
    if arguments.action == "start":
        return _start(servers)
    if arguments.action == "stop":
        print("The test servers are stopped." if servers.stop() else "No test servers were running.")
        return 0
    return _run(arguments.command) if arguments.action == "run" else _serve(arguments.file)


def _start(servers: BackgroundServers) -> int:
    if servers.are_running():
        servers.note_use()
        print("The test servers are running already; `make test ARGS=...` uses them.")
        return 0
    command = [sys.executable, "-m", "fleet_infra.testing_servers", "serve", "--file", str(servers.file)]
    if not servers.start(command, START_SECONDS):
        print(f"The test servers did not start; see {servers.log}", file=sys.stderr)
        return 1
    hours = IDLE_SECONDS / 3600
    print(
        "The test servers are running; `make test ARGS=...` and pytest use them. They stop with\n"
        f"`make test-servers-stop`, or when no test run has used them for {hours:g} hours."
    )
    return 0


def _serve(file: Path) -> int:
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())

    def idle() -> int:
        while not ended.wait(CHECK_SECONDS):
            if time.time() - file.stat().st_mtime > IDLE_SECONDS:
                break
        return 0

    return _with_servers(file, idle)


def _run(command: list[str]) -> int:
    if os.environ.get(SHARED):
        return subprocess.run(command, check=False).returncode
    with tempfile.TemporaryDirectory(prefix="fleet-servers-") as folder:
        file = Path(folder) / "servers.json"
        environment = os.environ | {SHARED: str(file)}
        return _with_servers(file, lambda: subprocess.run(command, env=environment, check=False).returncode)


def _with_servers(file: Path, work: Callable[[], int]) -> int:
    servers = choose_servers(fresh=True)
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
