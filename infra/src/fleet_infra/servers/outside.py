"""Data of a fleet that root starts, in folders that its programs' users own.

Such a user cannot enter a clone that only root can. The data therefore lie below /var/lib/fleet, with a link
to them where they were asked for.
"""

import contextlib
import errno
import functools
import os
import pwd
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

import psutil

from fleet_infra.servers.accounts import service_account
from fleet_infra.servers.base import NotReady
from fleet_infra.servers.ports import accepts

OUTSIDE = Path("/var/lib/fleet")
TEST_FOLDERS = ("fleet-test-", "pytest-of-")
"""How the names of tests' own folders below the temporary one begin."""
LINK, MOVING = ".link", ".moving"
"""Of the note beside each folder, which says what link leads to it, and of that during a move."""


def settle(folder: Path, port: int) -> str | None:
    """Who the data of `folder` belong to from now on: the system user, or None for ourselves.

    Data of a server that runs on the port stay where they are until it is stopped, and those that somebody
    linked to another place stay there.
    """
    account = service_account()
    if account is None:
        return None
    if is_outside(folder):
        _note(folder)
        return account
    if accepts(port) or (folder.is_symlink() and folder.exists()):
        return None
    move_outside(folder, account)
    return account


def is_outside(folder: Path) -> bool:
    """Whether its data lie below OUTSIDE."""
    return folder.is_symlink() and folder.resolve().parent == OUTSIDE


def move_outside(folder: Path, user: str) -> None:
    """Let the data of `folder`, which may exist already, lie outside and belong to the user.

    They are there whenever this ends early, and the next call goes on. Raises NotReady without room for them.
    """
    before = folder.with_name(f"{folder.name}.moved")
    if before.exists() and not folder.exists():
        before.rename(folder)
    OUTSIDE.mkdir(exist_ok=True)
    OUTSIDE.chmod(0o755)  # whatever our umask is: the user has to enter it
    _remove_abandoned()
    outside = _unfinished(folder) or OUTSIDE / f"{folder.name}-{secrets.token_hex(6)}"
    outside.with_suffix(MOVING).write_text(str(folder.absolute()), encoding="utf-8")
    if folder.is_dir():
        _bring(folder, outside)
    outside.mkdir(exist_ok=True)
    outside.chmod(0o700)
    give(outside, user)
    if folder.is_dir():
        folder.rename(before)
    folder.unlink(missing_ok=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(outside)
    _note(folder)
    shutil.rmtree(before, ignore_errors=True)


def _unfinished(folder: Path) -> Path | None:
    """Where an earlier move that ended early has brought the data; half a copy is deleted."""
    for moving in OUTSIDE.glob(f"*{MOVING}"):
        outside = moving.with_suffix("")
        try:
            moved_from = moving.read_text(encoding="utf-8")
        except FileNotFoundError:  # the move of another server's data, begun with ours, has just ended
            continue
        if moved_from == str(folder.absolute()):
            if not folder.exists() and outside.exists():
                return outside
            shutil.rmtree(outside, ignore_errors=True)
            moving.unlink()
    return None


def _bring(folder: Path, outside: Path) -> None:
    """Rename, or copy to another file system. A copy that fails leaves nothing."""
    try:
        folder.rename(outside)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    else:
        return
    try:
        _require_room(folder)
        shutil.copytree(folder, outside, symlinks=True)
    except BaseException:
        shutil.rmtree(outside, ignore_errors=True)
        outside.with_suffix(MOVING).unlink()
        raise


def _require_room(folder: Path) -> None:
    needed = sum(file.lstat().st_size for file in folder.rglob("*"))
    free = shutil.disk_usage(OUTSIDE).free
    if needed > free:
        raise NotReady(
            f"{folder} has to be copied to {OUTSIDE}, but has {needed:,} bytes and {free:,} are free there: "
            "make room, or put it on a larger disk and link to it."
        )


def _note(folder: Path) -> None:
    """Write down which link leads to the data: a clone may have been moved with it since."""
    note, text = folder.resolve().with_suffix(LINK), str(folder.absolute())
    if not note.exists() or note.read_text(encoding="utf-8") != text:
        note.write_text(text, encoding="utf-8")
    note.with_suffix(MOVING).unlink(missing_ok=True)


def give(folder: Path, user: str) -> None:
    """Make everything in a folder the user's, without following links."""
    owner = pwd.getpwnam(user)
    for _, folders, files, here in os.fwalk(folder):
        os.chown(here, owner.pw_uid, owner.pw_gid)
        for name in [*folders, *files]:
            os.chown(name, owner.pw_uid, owner.pw_gid, dir_fd=here, follow_symlinks=False)


def remove_data(folder: Path) -> None:
    """Delete the data behind `folder`, wherever they lie."""
    if folder.is_symlink():
        outside = folder.resolve()
        if outside.parent == OUTSIDE:
            shutil.rmtree(outside, ignore_errors=True)
            outside.with_suffix(LINK).unlink(missing_ok=True)
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def _remove_abandoned() -> None:
    """Delete what tests left: data of a temporary folder of theirs that is gone, which no process uses.

    Any other data whose link is gone may be those of a clone that was moved or is not mounted: somebody has
    to decide about them.
    """
    for note in OUTSIDE.glob(f"*{LINK}"):
        outside = note.with_suffix("")
        with contextlib.suppress(OSError):
            link = Path(note.read_text(encoding="utf-8"))
            if link.parent.exists() or not outside.exists():
                continue
            if not _is_of_a_test(link):
                _say_abandoned(outside, link)
            elif not _is_used(outside):
                shutil.rmtree(outside, ignore_errors=True)
                note.unlink()


def _is_of_a_test(link: Path) -> bool:
    temporary = Path(tempfile.gettempdir())
    return link.is_relative_to(temporary) and link.relative_to(temporary).parts[0].startswith(TEST_FOLDERS)


def _is_used(folder: Path) -> bool:
    """Whether a process works in the folder, or its command or environment names it."""
    name = str(folder)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if name in "\n".join((process.cwd(), *process.cmdline(), *process.environ().values())):
                return True
    return False


@functools.cache
def _say_abandoned(outside: Path, link: Path) -> None:
    print(
        f"{outside} holds data of {link}, which is gone: move the clone back or link to them, "
        "or delete them if nobody needs them.",
        file=sys.stderr,
    )
