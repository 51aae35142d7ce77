"""supervisord: its configuration, starting it, asking it, stopping it."""

import http.client
import os
import shlex
import socket
import subprocess
import sys
import time
import xmlrpc.client
from pathlib import Path
from typing import Any, cast

import psutil

from fleet_infra.layout import Layout
from fleet_infra.programs import Groups
from fleet_infra.servers import Process
from fleet_infra.servers.redis import write_private

KEPT = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "TMPDIR",
    "PYTHONDONTWRITEBYTECODE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
"""What programs get of our environment; anything else might be taken for one of their settings."""

MAIN = """[unix_http_server]
file={socket}
chmod=0600

[supervisord]
logfile={logs}/supervisord.log
logfile_maxbytes=5MB
logfile_backups=2
loglevel=info
pidfile={pid}
childlogdir={logs}
minfds=16384
nodaemon=false
silent=true
strip_ansi=true
identifier=fleet
{user}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{socket}
"""

PROGRAM = """
[program:{name}]
command={command}
directory={directory}
environment={environment}
autostart=false
autorestart=true
startsecs=2
startretries=100000
stopsignal={signal}
stopwaitsecs={seconds}
killasgroup=true
stdout_logfile={logs}/{name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
redirect_stderr=true
"""

# Notes the id of the process it becomes, in a file and in access.json, at every start. $1 is the folder, $2 the name.
LAUNCHER = """#!/bin/sh
home=$1; name=$2; shift 2
echo $$ > "$home/pids/$name.pid"
if [ -f "$home/access.json" ]; then
  flock "$home/access.lock" sed -i "s/^\\( *\\"$name\\": \\)[0-9][0-9]*/\\1$$/" "$home/access.json"
fi
exec "$@"
"""


def write_configuration(layout: Layout, groups: Groups) -> None:
    """Write supervisord.conf (it holds secrets) and the launcher."""
    write_private(layout.home / "launch", LAUNCHER)
    user = "user=root\n" if os.geteuid() == 0 else ""
    text = MAIN.format(
        socket=layout.supervisor_socket,
        logs=layout.logs.absolute(),
        pid=layout.supervisor_pid.absolute(),
        user=user,
    )
    for number, (group, processes) in enumerate(groups.items(), start=1):
        text += "".join(_program(layout, process) for process in processes)
        names = ",".join(process.name for process in processes)
        text += f"\n[group:{group}]\nprograms={names}\npriority={number}\n" if processes else ""
    write_private(layout.supervisor_conf, text)


def _program(layout: Layout, process: Process) -> str:
    launcher = ["/bin/sh", str(layout.home.absolute() / "launch"), str(layout.home.absolute()), process.name]
    drop = (
        ["setpriv", f"--reuid={process.user}", f"--regid={process.user}", "--init-groups"]
        if process.user
        else []
    )
    command = shlex.join([*launcher, *drop, *process.command])
    return PROGRAM.format(
        name=process.name,
        command=command.replace("%", "%%"),
        directory=process.directory,
        environment=",".join(f'{key}="{_quoted(value)}"' for key, value in process.environment.items()),
        signal=process.stop_signal,
        seconds=process.stop_seconds,
        logs=layout.logs.absolute(),
    )


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


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
        environment = {key: os.environ[key] for key in KEPT if key in os.environ}
        program = Path(sys.prefix) / "bin" / "supervisord"
        subprocess.run(
            [sys.executable, str(program), "-c", str(self._layout.supervisor_conf.absolute())],
            env=environment | {"PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin:/sbin:/bin"},
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
        self._call("shutdown")
        _, alive = psutil.wait_procs(processes, timeout=120)
        for process in alive:
            process.kill()
        return True

    def start_group(self, name: str) -> None:
        """Start what is not running of a group, without waiting."""
        for info in self.processes():
            if info["group"] == name and info["statename"] not in {"RUNNING", "STARTING", "BACKOFF"}:
                self._call("startProcess", f"{name}:{info['name']}", False)

    def processes(self) -> list[dict[str, Any]]:
        """supervisord's own account of every program."""
        return cast(list[dict[str, Any]], self._call("getAllProcessInfo"))

    def restart(self, group: str, name: str) -> None:
        """Stop and start one program."""
        self._call("stopProcess", f"{group}:{name}", True)
        self._call("startProcess", f"{group}:{name}", False)

    def _update(self) -> None:
        """Take over a changed configuration: only what changed is stopped."""
        added, changed, removed = cast(list[list[list[str]]], self._call("reloadConfig"))[0]
        for group in [*changed, *removed]:
            self._call("stopProcessGroup", group, True)
            self._call("removeProcessGroup", group)
        for group in [*added, *changed]:
            self._call("addProcessGroup", group)

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
