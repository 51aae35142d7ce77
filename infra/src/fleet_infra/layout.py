"""Where things are: the project's folder and the folder of everything made at run time."""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

SOCKET_LIMIT = 100
"""A Unix socket's path may have 107 bytes; a deep folder gets its socket elsewhere."""


@dataclass(frozen=True)
class Layout:
    """Paths of one fleet. `root` is the clone; `home` is its `.fleet`, or a scratch folder in tests."""

    root: Path
    home: Path

    @classmethod
    def of_clone(cls) -> "Layout":
        """The clone this package is installed from."""
        root = Path(__file__).resolve().parents[3]
        return cls(root, root / ".fleet")

    @property
    def env_file(self) -> Path:
        """Settings of the person who runs it."""
        return self.root / ".env"

    @property
    def secrets_file(self) -> Path:
        """Secrets, made once."""
        return self.home / "secrets.json"

    @property
    def signing_key(self) -> Path:
        """Private key that signs tokens, PEM."""
        return self.home / "signing-key.pem"

    @property
    def service_key(self) -> Path:
        """Where signing-service reads that key: a copy that is its user's, where it has a user of its own."""
        folder = self.home / "signing"
        return folder.resolve() / "signing-key.pem" if folder.is_symlink() else self.signing_key

    @property
    def sandbox(self) -> Path:
        """What the carrier's sandbox keeps between runs."""
        return self.home / "sandbox"

    @property
    def access_file(self) -> Path:
        """Addresses and logins for people and tests."""
        return self.home / "access.json"

    @property
    def ports_file(self) -> Path:
        """Ports of the fleet that runs."""
        return self.home / "ports.json"

    @property
    def logs(self) -> Path:
        """One log file for each process."""
        return self.home / "logs"

    @property
    def pids(self) -> Path:
        """One file for each process with its id; written at every start, restarts included."""
        return self.home / "pids"

    @property
    def environment(self) -> Path:
        """One file for each process with its environment; secrets are in it."""
        return self.home / "environment"

    @property
    def nginx(self) -> Path:
        """Rendered configuration and temporary files of nginx."""
        return self.home / "nginx"

    @property
    def supervisor_conf(self) -> Path:
        """Configuration of supervisord."""
        return self.home / "supervisord.conf"

    @property
    def supervisor_pid(self) -> Path:
        """Process id of supervisord."""
        return self.home / "supervisord.pid"

    @property
    def supervisor_socket(self) -> Path:
        """Socket that controls supervisord."""
        near = self.home.absolute() / "supervisor.sock"
        if len(os.fsencode(near)) <= SOCKET_LIMIT:
            return near
        name = hashlib.sha256(os.fsencode(near)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"fleet-{os.geteuid()}-{name}.sock"

    def make(self) -> None:
        """Make the folders, for us only."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.logs, self.pids, self.nginx, self.environment):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
