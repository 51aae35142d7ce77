"""Shows what is being done: a line for each step, with its time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Steps:
    """Steps may run side by side. On a terminal they move; elsewhere each prints a line when it is done."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> "Steps":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show a step while its block runs."""
        started = time.monotonic()
        task = self._progress.add_task(title, total=1)
        yield
        self._progress.update(task, completed=1)
        if not self.console.is_terminal:
            self.console.print(f"✓ {title} {time.monotonic() - started:.1f} s", highlight=False)
