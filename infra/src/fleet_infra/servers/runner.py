"""Runs servers as children of this process: for tests and for shared test servers, never for a real fleet."""

import contextlib
import os
import pwd
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fleet_infra.servers.base import NotReady, Process, Server, wait_ready

START_SECONDS = 90.0


def spawn(process: Process, log: Path) -> subprocess.Popen[bytes]:
    """Start one program in its own process group; it dies with the thread that started it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    command = ["setpriv", "--pdeathsig", process.stop_signal]
    if process.user is not None:
        owner = pwd.getpwnam(process.user)
        command += ["--reuid", str(owner.pw_uid), "--regid", str(owner.pw_gid), "--clear-groups"]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*command, "--", *process.command],
            cwd=process.directory,
            env=os.environ | process.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


class Runner:
    """Starts servers side by side and stops all of them at the end. Log files go to `logs`."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._children: list[tuple[Process, subprocess.Popen[bytes]]] = []

    def start(self, *servers: Server) -> None:
        """Prepare, start and wait for the servers; raises NotReady with the end of the log."""
        with ThreadPoolExecutor(max_workers=len(servers)) as pool:
            list(pool.map(lambda server: server.prepare(), servers))
            for server in servers:
                for process in server.processes():
                    self._children.append((process, spawn(process, self._log(process.name))))
            list(pool.map(self._wait, servers))

    def pid(self, name: str) -> int:
        """Process id of the program started last under that name."""
        return next(child.pid for process, child in reversed(self._children) if process.name == name)

    def stop(self) -> None:
        """Stop everything, in the opposite order of starting."""
        for process, child in reversed(self._children):
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(getattr(signal, f"SIG{process.stop_signal}"))
        for process, child in reversed(self._children):
            try:
                child.wait(process.stop_seconds)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait(10)
        self._children.clear()

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _wait(self, server: Server) -> None:
        names = {process.name for process in server.processes()}
        children = [child for process, child in self._children if process.name in names]
        dead = threading.Event()

        def watch() -> None:
            children[-1].wait()
            dead.set()

        threading.Thread(target=watch, daemon=True).start()
        try:
            wait_ready(server, START_SECONDS, dead)
        except NotReady as error:
            tail = self._log(server.name).read_text(errors="replace")[-2000:]
            raise NotReady(f"{error}\n{tail}") from error
