"""Programs of a fleet that root starts run as other users."""

import contextlib
import fcntl
import functools
import grp
import os
import pwd
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from fleet_infra.servers.base import NotReady

ACCOUNT = "fleet"
"""System user of programs that have none of their own."""
WEB_ACCOUNTS = ("www-data", "nobody")
"""Users that a system has anyway; the first that exists is the one of nginx's workers."""
ENVIRONMENT = {"HOME": "/nonexistent", "USER": ACCOUNT, "LOGNAME": ACCOUNT}
"""What programs of that user find instead of root's: they may not even look into root's folder."""
LOCK = Path("/run/fleet-account.lock")
"""Held while the user is made. Of several `useradd` at once each succeeds, and gives the user another id."""
USERADD = ("useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent")


def service_account() -> str | None:
    """The system user, made where it is missing; None where we are not root. Raises NotReady."""
    if os.geteuid() != 0:
        return None
    make_user(ACCOUNT)
    return ACCOUNT


def make_user(name: str) -> None:
    """Make a system user unless there is one; raises NotReady."""
    if _exists(name):
        return
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _exists(name):
            return
        command = [*USERADD, "--shell", "/usr/sbin/nologin", name]
        path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
        made = subprocess.run(
            command, capture_output=True, text=True, check=False, env=os.environ | {"PATH": path}
        )
        if not _exists(name):
            raise NotReady(f"the system user {name} could not be made: {made.stderr.strip()}")


def python_account() -> str | None:
    """The system user where it can run our Python programs; None where they run as we do.

    It cannot where this clone, or the Python that it uses, lies in a folder that only root can enter.
    """
    account = service_account()
    return account if account is not None and _runs_python(account, sys.executable) else None


def services_stay_roots() -> bool:
    """Whether we are root, and our programs have to run as root as well."""
    return service_account() is not None and python_account() is None


@functools.cache
def _runs_python(account: str, executable: str) -> bool:
    # Python starts also where it cannot read its own library, with another one that it finds.
    same = f"(sys.prefix, sys.base_prefix) == {(sys.prefix, sys.base_prefix)!r}"
    probe = f"import sys, secantus, signing_service.settings; sys.exit(not ({same}))"
    command = [*as_user(account), executable, "-c", probe]
    environment = {"PATH": os.defpath} | ENVIRONMENT
    return subprocess.run(command, cwd="/", env=environment, capture_output=True, check=False).returncode == 0


def as_user(user: str | None) -> list[str]:
    """What to put before a command that runs as another user, without any group or privilege of ours."""
    if user is None:
        return []
    group = pwd.getpwnam(user).pw_gid
    return ["setpriv", f"--reuid={user}", f"--regid={group}", "--init-groups", "--no-new-privs", "--"]


def web_account() -> str | None:
    """The user of nginx's workers, who read what strangers send; None where we are not root.

    Not ACCOUNT: it could read the other programs' files, environments and memory.
    """
    if os.geteuid() != 0:
        return None
    return next(user for user in WEB_ACCOUNTS if _exists(user))


def group_of(user: str) -> str:
    """Name of the user's own group."""
    return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name


def can_read(user: str, files: Iterable[Path]) -> bool:
    """Whether that user can read all of them."""
    command = [*as_user(user), "/bin/sh", "-c", 'for file; do test -r "$file" || exit 1; done', "sh"]
    return subprocess.run([*command, *map(str, files)], cwd="/", check=False).returncode == 0


def _exists(user: str) -> bool:
    with contextlib.suppress(KeyError):
        return bool(pwd.getpwnam(user))
    return False
