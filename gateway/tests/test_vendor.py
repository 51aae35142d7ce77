"""Files of other projects that the page is served with."""

import hashlib
from pathlib import Path

import pytest

VENDOR = Path(__file__).parents[1] / "www" / "vendor"
LINES = (VENDOR / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
SUMS = {name: checksum for checksum, name in map(str.split, LINES)}


@pytest.mark.parametrize("name", SUMS)
def test_a_vendored_file_is_the_published_one(name: str) -> None:
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == SUMS[name]


def test_every_vendored_file_has_a_checksum() -> None:
    assert {path.name for path in VENDOR.iterdir()} == {"SHA256SUMS", *SUMS}
