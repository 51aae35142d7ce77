"""Secrets of one fleet: made once, kept in a file that only its owner can read."""

import json
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fleet_infra.files import write_private
from fleet_infra.layout import Layout
from fleet_infra.servers.accounts import python_account
from fleet_infra.servers.outside import give, is_outside, move_outside, remove_data


def _secret() -> str:
    return secrets.token_urlsafe(24)


@dataclass(frozen=True)
class Secrets:
    """Every password of the fleet. A new field gets its value at the next start."""

    postgres_admin: str = field(default_factory=_secret)
    postgres_signing: str = field(default_factory=_secret)
    postgres_device: str = field(default_factory=_secret)
    postgres_sim: str = field(default_factory=_secret)
    redis: str = field(default_factory=_secret)
    mongo: str = field(default_factory=_secret)
    rabbitmq_admin: str = field(default_factory=_secret)
    rabbitmq_access: str = field(default_factory=_secret)
    rabbitmq_sessions: str = field(default_factory=_secret)
    rabbitmq_signing: str = field(default_factory=_secret)
    rabbitmq_device: str = field(default_factory=_secret)
    rabbitmq_sim: str = field(default_factory=_secret)
    rabbitmq_monitoring: str = field(default_factory=_secret)
    carrier_client_id: str = field(default_factory=_secret)
    carrier_client_secret: str = field(default_factory=_secret)
    push_password: str = field(default_factory=_secret)
    admin_password: str = field(default_factory=_secret)
    demo_password: str = field(default_factory=_secret)


def load_secrets(file: Path) -> Secrets:
    """Read the secrets; make those that are missing."""
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    names = {entry.name for entry in fields(Secrets)}
    store = Secrets(**{name: value for name, value in known.items() if name in names})
    write_private(file, json.dumps(asdict(store), indent=1) + "\n")
    file.chmod(0o600)
    return store


def lend_signing_key(layout: Layout) -> None:
    """Copy the key that signs tokens to where signing-service's own user can read it, where it has one."""
    account, folder = python_account(), layout.home / "signing"
    if account is None:
        remove_data(folder)
        return
    if not is_outside(folder):
        move_outside(folder, account)
    write_private(layout.service_key, layout.signing_key.read_text(encoding="utf-8"))
    give(folder.resolve(), account)


def make_signing_key(file: Path) -> None:
    """Make the EC P-256 key that signs tokens, once."""
    if file.exists():
        return
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(file, pem.decode())
