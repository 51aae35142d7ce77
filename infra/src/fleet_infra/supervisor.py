"""supervisord: starting it, asking it, stopping it."""

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import psutil

from fleet_infra.layout import Layout

INHERITED_VARIABLES = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
"""What programs get of our environment; anything else might be taken for one of their settings."""

UP = ("RUNNING", "STARTING", "BACKOFF")
"""States of a program that supervisord runs or is about to run."""
STOP_SECONDS = 120
"""Longest wait for programs to end; each is killed after a time of its own, which is shorter."""


def inherited_environment() -> dict[str, str]:
    """What a program gets besides its own settings."""
    inherited = {key: os.environ[key] for key in INHERITED_VARIABLES if key in os.environ}
    return inherited | {"PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin:/sbin:/bin"}


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=150)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> _Connection:
        return _Connection(self._path)


class Supervisor:
    """One fleet's supervisord."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def is_running(self) -> bool:
        """Whether it answers."""
        try:
            self._call("getState")
        except (OSError, xmlrpc.client.Error, http.client.HTTPException):
            return False
        return True

    def start(self) -> None:
        """Start it in the background, or let a running one read its configuration again."""
        if self.is_running():
            self._update()
            return
        self._layout.supervisor_socket.unlink(missing_ok=True)
        program = Path(sys.prefix) / "bin" / "supervisord"
        subprocess.run(
            [sys.executable, str(program), "-c", str(self._layout.supervisor_conf.absolute())],
            env=inherited_environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            check=True,
        )
        self._await(running=True)

    def stop(self) -> bool:
        """Stop everything and supervisord itself; False when it was not running. Waits until all is gone."""
        if not self.is_running():
            return False
        processes = self._own_tree()
        self._stop_groups(self._priorities())
        self._call("shutdown")
        _, alive = psutil.wait_procs(processes, timeout=STOP_SECONDS)
        for process in alive:
            process.kill()
        return True

    def start_group(self, name: str) -> None:
        """Start what is not running of a group, without waiting."""
        for info in self.processes():
            if info["group"].partition(".")[0] == name and info["statename"] not in UP:
                self._call("startProcess", f"{info['group']}:{info['name']}", False)

    def processes(self) -> list[dict[str, Any]]:
        """supervisord's own account of every program."""
        return cast(list[dict[str, Any]], self._call("getAllProcessInfo"))

    def stop_program(self, group: str, name: str) -> None:
        """Stop one program and wait until it is gone; it stays away until its group is started."""
        self._call("stopProcess", f"{group}.{name}:{name}", True)

    def restart(self, group: str, name: str) -> None:
        """Stop and start one program."""
        self.stop_program(group, name)
        self._call("startProcess", f"{group}.{name}:{name}", False)

    def _update(self) -> None:
        """Take over a changed configuration: only what changed is stopped."""
        before = self._priorities()
        added, changed, removed = cast(list[list[list[str]]], self._call("reloadConfig"))[0]
        self._stop_groups({group: before.get(group, 0) for group in [*changed, *removed]})
        for group in [*changed, *removed]:
            self._call("removeProcessGroup", group)
        for group in [*added, *changed]:
            self._call("addProcessGroup", group)

    def _priorities(self) -> dict[str, int]:
        """Of supervisord's groups, each of which is one program: higher stops first."""
        entries = cast(list[dict[str, Any]], self._call("getAllConfigInfo"))
        return {entry["group"]: entry["group_prio"] for entry in entries}

    def _stop_groups(self, priorities: Mapping[str, int]) -> None:
        """Stop them and wait until all are gone; those of one priority side by side."""
        for priority in sorted(set(priorities.values()), reverse=True):
            groups = {group for group, known in priorities.items() if known == priority}
            deadline = time.monotonic() + STOP_SECONDS
            while self._ask_to_stop(groups) and time.monotonic() < deadline:
                time.sleep(0.05)

    def _ask_to_stop(self, groups: set[str]) -> bool:
        """Whether any of their programs is still there."""
        alive = [info for info in self.processes() if info["group"] in groups]
        alive = [info for info in alive if info["statename"] in {*UP, "STOPPING"}]
        for info in alive:
            if info["statename"] in UP:
                with contextlib.suppress(xmlrpc.client.Fault):  # it may have ended by itself meanwhile
                    self._call("stopProcess", f"{info['group']}:{info['name']}", False)
        return bool(alive)

    def _call(self, method: str, *arguments: Any) -> Any:
        server = xmlrpc.client.ServerProxy(
            "http://localhost", transport=_Transport(self._layout.supervisor_socket)
        )
        return getattr(server.supervisor, method)(*arguments)

    def _own_tree(self) -> list[psutil.Process]:
        root = psutil.Process(int(cast(int, self._call("getPID"))))
        return [root, *root.children(recursive=True)]

    def _await(self, *, running: bool) -> None:
        deadline = time.monotonic() + 20
        while self.is_running() is not running:
            if time.monotonic() > deadline:
                raise TimeoutError(f"supervisord did not start; see {self._layout.logs}/supervisord.log")
            time.sleep(0.05)
