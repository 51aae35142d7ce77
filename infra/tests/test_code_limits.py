"""Files and functions stay short enough to be read at once: at most 300 and 40 lines."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40
EXCEPTIONS = {
    "device-simulator/src/device_simulator/cli.py: simulate_devices": "a parameter for each option",
}
"""Offender, as it is printed without its number of lines, and why it may be longer."""


def sources() -> list[str]:
    """Tracked Python files except migrations, and the scripts of the live page."""
    command = ["git", "ls-files", "*.py", "gateway/www/*.js"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.splitlines() if "/migrations/" not in name and (ROOT / name).is_file()]


def too_long(name: str, source: str) -> Iterator[tuple[str, int]]:
    """What is too long in one file, with its lines."""
    if (lines := len(source.splitlines())) > MAX_FILE_LINES:
        yield name, lines
    if not name.endswith(".py"):
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield f"{name}: {node.name}", lines


def test_files_and_functions_keep_their_limits() -> None:
    found = dict(
        item for name in sources() for item in too_long(name, (ROOT / name).read_text(encoding="utf-8"))
    )
    assert {name: lines for name, lines in found.items() if name not in EXCEPTIONS} == {}
    assert EXCEPTIONS.keys() <= found.keys(), "an exception that is no longer needed"


def test_what_is_too_long_is_found() -> None:
    long = "def long() -> None:\n" + "    pass\n" * MAX_FUNCTION_LINES
    assert dict(too_long("a.py", long)) == {"a.py: long": MAX_FUNCTION_LINES + 1}
    assert dict(too_long("a.js", "\n" * (MAX_FILE_LINES + 1))) == {"a.js": MAX_FILE_LINES + 1}
