"""One service from its sources while the rest of the fleet runs, started again whenever a file changes."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import watchfiles

from fleet_infra.errors import CannotStart
from fleet_infra.layout import Layout
from fleet_infra.supervisor import Supervisor, inherited_environment
from fleet_infra.supervisor_config import launch_command

SERVICES = ("signing-service", "device-service", "sim-service", "monitoring-service")
LIBRARIES = ("contracts", "fleet-kit")
GROUP = "services"
POLL_MILLISECONDS = 300
STOP_SECONDS = 5.0
"""How long a program may finish what it has in hand before a change is tried out."""


class Programs:
    """API and worker of one service, as the supervisor starts them, but with their output on the terminal."""

    def __init__(self, layout: Layout, service: str) -> None:
        module = service.replace("-", "_")
        self.names = (service, f"{service.removesuffix('-service')}-worker")
        modules = (module, f"{module}.worker")
        self._commands = [
            launch_command(layout, name, (sys.executable, "-m", target))
            for name, target in zip(self.names, modules, strict=True)
        ]
        self._home = layout.home
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start both."""
        environment = inherited_environment()
        self._running = [
            subprocess.Popen(command, cwd=self._home, env=environment, start_new_session=True)
            for command in self._commands
        ]

    def stop(self) -> None:
        """Stop both and wait until they are gone."""
        for process in self._running:
            process.terminate()
        for process in self._running:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running = []

    def ended(self) -> list[str]:
        """Names of those that ended by themselves, each with its exit status."""
        statuses = zip(self.names, (process.poll() for process in self._running), strict=False)
        return [f"{name} ended with status {status}" for name, status in statuses if status is not None]


def sources(root: Path, service: str) -> list[Path]:
    """Folders whose changes start the service again."""
    return [root / name / "src" for name in (service, *LIBRARIES)]


def dev(layout: Layout, service: str, stop: threading.Event | None = None) -> None:
    """Run the service until Ctrl-C (or `stop`), then give it back to the supervisor; raises CannotStart.

    SIGTERM, and SIGHUP of a terminal that is closed, end it in the same way.
    """
    if service not in SERVICES:
        raise CannotStart(f"SERVICE={service or '?'} is not possible: it is one of {', '.join(SERVICES)}.")
    supervisor = Supervisor(layout)
    if not supervisor.is_running():
        raise CannotStart(
            "The fleet is not running here without containers; start it with `make up MODE=native`."
        )
    programs = Programs(layout, service)
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler)
    with _taken_from(supervisor, programs.names):
        try:
            _run_and_restart(programs, sources(layout.root, service), stop)
        finally:
            programs.stop()


def _run_and_restart(programs: Programs, folders: list[Path], stop: threading.Event | None) -> None:
    started, said = False, list[str]()
    _say(f"{' and '.join(programs.names)} run from their sources; Ctrl-C gives them back to the fleet.")
    python = watchfiles.PythonFilter()
    for changes in watchfiles.watch(
        *folders, watch_filter=python, stop_event=stop, rust_timeout=POLL_MILLISECONDS, yield_on_timeout=True
    ):
        if changes:
            _say(f"changed: {', '.join(sorted(Path(path).name for _, path in changes))}; starting again")
        if changes or not started:  # started only while changes are noticed already
            programs.stop()
            programs.start()
            started = True
        ended = programs.ended()
        if ended and (changes or ended != said):
            _say(f"{'; '.join(ended)}: waiting for a change")
        said = ended


@contextmanager
def _taken_from(supervisor: Supervisor, names: tuple[str, ...]) -> Iterator[None]:
    for name in names:
        supervisor.stop_program(GROUP, name)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        supervisor.start_group(GROUP)
        _say(f"the fleet runs {' and '.join(names)} again")


def _say(text: str) -> None:
    print(f"-- {text}", file=sys.stderr, flush=True)
