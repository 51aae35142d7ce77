"""Test servers that stay between test runs: whether they run, since when nobody used them, stopping them."""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fleet_infra.layout import Layout

STOP_SECONDS = 60.0


@dataclass(frozen=True)
class BackgroundServers:
    """The background process of one clone, which holds a lock for as long as it lives."""

    home: Path

    @classmethod
    def of_clone(cls) -> "BackgroundServers":
        """Those of the clone this package is installed from."""
        return cls(Layout.of_clone().home)

    @property
    def file(self) -> Path:
        """Their addresses, once they can be used; its time is that of the last use."""
        return self.home / "test-servers.json"

    @property
    def log(self) -> Path:
        """What the process said."""
        return self.home / "test-servers.log"

    @property
    def _lock(self) -> Path:
        return self.home / "test-servers.lock"

    def are_running(self) -> bool:
        """Whether the process lives and its servers can be used."""
        return self.file.exists() and self._is_held()

    def note_use(self) -> None:
        """Keep them for another while."""
        os.utime(self.file)

    def start(self, command: list[str], seconds: float) -> bool:
        """Run the command in the background and wait for its file; False if it ended or took too long."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock.open("a+") as lock, self.log.open("w") as log:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return self._wait(seconds, lambda: not self._is_held())
            self.file.unlink(missing_ok=True)
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock.fileno(),),
            )
            lock.truncate(0)
            lock.write(str(process.pid))
        if self._wait(seconds, lambda: process.poll() is not None):
            return True
        process.terminate()
        return False

    def _wait(self, seconds: float, ended: Callable[[], bool]) -> bool:
        """Wait for the addresses; False if the process ended or the time was over first."""
        deadline = time.monotonic() + seconds
        while not self.file.exists():
            if ended() or time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def stop(self) -> bool:
        """Stop them and wait until they are gone; False if none ran."""
        if not self._is_held():
            return False
        os.kill(int(self._lock.read_text(encoding="utf-8")), signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self._is_held():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the test servers do not stop; see {self.log}")
            time.sleep(0.1)
        return True

    def _is_held(self) -> bool:
        if not self._lock.exists():
            return False
        with self._lock.open() as lock:
            try:
                # Shared, so that two who ask at the same moment do not take each other for the servers.
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False
