"""docs/architecture.md names every key that the services keep in Redis, and no other."""

import re
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
SECTION = DOCUMENT.split("\n## What Redis holds\n")[1].split("\n## ")[0]
PATTERNS = {
    name
    for cell in re.findall(r"^\|([^|]*)\|", SECTION, re.MULTILINE)
    for name in re.findall(r"`([^`]+)`", cell)
}
KEY = re.compile(r"""f?"([a-z]+(?:-[a-z]+)*:[^"\s]*)\"""")
"""A string that begins like a key, with a name and a colon, in a module that knows of Redis."""
OF_A_LIBRARY = {"LIMITS:*"}
"""Made by `limits`, which signing-service counts with."""
CHANNELS = {"monitoring:stored"}
"""Published and not stored."""


def keys() -> set[str]:
    """Keys as the sources write them."""
    sources = (path.read_text(encoding="utf-8") for path in ROOT.glob("*/src/**/*.py"))
    with_redis = (
        text for text in sources if re.search(r"^from (redis|fleet_kit\.redis)", text, re.MULTILINE)
    )
    return {key for text in with_redis for key in KEY.findall(text)}


def test_every_key_is_named() -> None:
    unnamed = {key for key in keys() - CHANNELS if not any(fnmatchcase(key, name) for name in PATTERNS)}
    assert unnamed == set()


def test_every_name_is_of_a_key() -> None:
    assert {name for name in PATTERNS if not any(fnmatchcase(key, name) for key in keys())} == OF_A_LIBRARY
