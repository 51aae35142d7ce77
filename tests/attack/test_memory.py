"""A program's memory is judged with that of its processes, as its container counts it."""

import subprocess
import sys
from pathlib import Path

from .memory import over_limit, peaks

MIB = 2**20
HOLDER = "import sys; held = b'x' * ({size} * 2**20); print('ready', flush=True); sys.stdin.read()"
PARENT = """
import sys
from subprocess import PIPE, Popen
children = [Popen([sys.executable, "-c", {holder!r}], stdin=PIPE, stdout=PIPE) for _ in range(3)]
for child in children:
    child.stdout.readline()
print("ready", flush=True)
sys.stdin.read()
"""


def test_the_processes_of_a_program_count_together(tmp_path: Path) -> None:
    """None of them takes more than the container may: 100 of its 256 MiB."""
    parent = PARENT.format(holder=HOLDER.format(size=100))
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        file = tmp_path / "redis.pid"
        file.write_text(str(process.pid))
        fleet = {"pid_files": {"redis": str(file)}}

        assert 300 * MIB < peaks(fleet)["redis"] < 400 * MIB
        assert over_limit(fleet).keys() == {"redis"}
        process.communicate()
