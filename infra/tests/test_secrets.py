import json
import stat
from dataclasses import asdict
from pathlib import Path

from fleet_infra.layout import Layout
from fleet_infra.secret_store import load_secrets, make_signing_key


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_made_once_and_only_their_owner_reads_them(layout: Layout) -> None:
    first = load_secrets(layout.secrets_file)
    written = layout.secrets_file.stat().st_mtime_ns
    second = load_secrets(layout.secrets_file)

    assert first == second
    assert layout.secrets_file.stat().st_mtime_ns == written
    assert mode(layout.secrets_file) == 0o600
    assert mode(layout.home) == 0o700


def test_no_two_secrets_are_the_same(layout: Layout) -> None:
    values = asdict(load_secrets(layout.secrets_file)).values()

    assert len(set(values)) == len(values)
    assert all(len(value) >= 32 for value in values)


def test_a_secret_added_by_a_newer_version_leaves_the_others(layout: Layout) -> None:
    known = asdict(load_secrets(layout.secrets_file))
    removed = known.pop("carrier_client_secret")
    layout.secrets_file.write_text(json.dumps(known), encoding="utf-8")

    again = asdict(load_secrets(layout.secrets_file))

    assert again.pop("carrier_client_secret") != removed
    assert again == known


def test_the_signing_key_is_made_once(layout: Layout) -> None:
    make_signing_key(layout.signing_key)
    first = layout.signing_key.read_bytes()
    make_signing_key(layout.signing_key)

    assert layout.signing_key.read_bytes() == first
    assert first.startswith(b"-----BEGIN PRIVATE KEY-----")
    assert mode(layout.signing_key) == 0o600
