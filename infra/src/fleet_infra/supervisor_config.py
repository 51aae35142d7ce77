"""supervisord's configuration: how each program is started, restarted, stopped and logged."""

import os
import resource
import shlex
from collections.abc import Sequence

from fleet_infra.files import digest, write_private
from fleet_infra.layout import Layout
from fleet_infra.programs import Groups
from fleet_infra.servers import Process
from fleet_infra.servers.accounts import as_user

WANTED_FILES = 16_384
"""Open files for each program, where the system allows as many."""

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
minfds={files}
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
environment=FLEET_CONFIGURATION="{fingerprint}"
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

# supervisord replaces a group as a whole: each program is one, so that only what changed is replaced.
GROUP = """
[group:{group}.{name}]
programs={name}
priority={number}
"""

# Takes the program's environment and notes, at every start, the id of the process that it becomes: in a file
# and in access.json. $1: folder, $2: name.
LAUNCHER = """#!/bin/sh
home=$1; name=$2; shift 2
. "$home/environment/$name"
echo $$ > "$home/pids/$name.pid"
if [ -f "$home/access.json" ]; then
  flock "$home/access.lock" sed -i "s/^\\( *\\"$name\\": \\)[0-9][0-9]*/\\1$$/" "$home/access.json"
fi
exec "$@"
"""


def write_configuration(layout: Layout, groups: Groups) -> None:
    """Write supervisord.conf, the launcher, and a file with the environment of each program."""
    write_private(layout.home / "launch", LAUNCHER)
    user = "user=root\n" if os.geteuid() == 0 else ""
    text = MAIN.format(
        socket=layout.supervisor_socket,
        logs=layout.logs.absolute(),
        pid=layout.supervisor_pid.absolute(),
        user=user,
        files=_open_files(),
    )
    for number, (group, processes) in enumerate(groups.items(), start=1):
        for process in processes:
            text += _program(layout, process) + GROUP.format(group=group, name=process.name, number=number)
            write_private(layout.environment / process.name, _environment(process))
    write_private(layout.supervisor_conf, text)


def _open_files() -> int:
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return WANTED_FILES if allowed == resource.RLIM_INFINITY else min(WANTED_FILES, allowed)


def launch_command(layout: Layout, name: str, command: Sequence[str]) -> list[str]:
    """The command with the environment of the program of that name; its process id is noted."""
    home = str(layout.home.absolute())
    return ["/bin/sh", f"{home}/launch", home, name, *command]


def _program(layout: Layout, process: Process) -> str:
    command = shlex.join(launch_command(layout, process.name, [*as_user(process.user), *process.command]))
    return PROGRAM.format(
        name=process.name,
        command=command.replace("%", "%%"),
        directory=process.directory,
        fingerprint=digest([_environment(process).encode(), *(file.read_bytes() for file in process.files)]),
        signal=process.stop_signal,
        seconds=process.stop_seconds,
        logs=layout.logs.absolute(),
    )


def _environment(process: Process) -> str:
    """Lines for a shell; supervisord's own notation cannot express every value."""
    return "".join(
        f"export {name}={shlex.quote(value)}\n" for name, value in sorted(process.environment.items())
    )
