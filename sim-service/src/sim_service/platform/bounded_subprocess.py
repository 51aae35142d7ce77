"""`python -m …platform.bounded_subprocess MIB SECONDS MODULE ARGUMENT…`: becomes the module, within bounds.

It imports nothing of the service: whoever starts it waits for it.
"""

import resource
import runpy
import sys
from contextlib import suppress
from pathlib import Path


def main() -> None:
    """Bound this process's address space and processor time, then run the module as `__main__`."""
    memory_mib, seconds, module = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    resource.setrlimit(resource.RLIMIT_AS, (memory_mib * 1024**2, memory_mib * 1024**2))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):  # where memory runs out all the same, this process ends and not the service
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    sys.argv[1:] = sys.argv[4:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
