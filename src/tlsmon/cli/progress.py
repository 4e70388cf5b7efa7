"""A progress bar on standard error, where that is a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tlsmon.api import NoProgress, Progress

if TYPE_CHECKING:
    import rich.progress


@contextlib.contextmanager
def progress_bar() -> Iterator[Progress]:
    """Give something that shows progress; rich leaves out colours where NO_COLOR is set."""
    if not sys.stderr.isatty():
        yield NoProgress()
        return
    import rich.progress  # noqa: PLC0415, only where somebody sees it
    from rich.console import Console  # noqa: PLC0415

    columns = (
        rich.progress.TextColumn("{task.description}", markup=False),
        rich.progress.BarColumn(),
        rich.progress.DownloadColumn(),
        rich.progress.TransferSpeedColumn(),
        rich.progress.TimeRemainingColumn(),
    )
    with rich.progress.Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        yield _Bar(shown)


class _Bar:
    """One bar, which each log takes over."""

    def __init__(self, shown: rich.progress.Progress) -> None:
        self._shown = shown
        self._task = shown.add_task("", total=None)

    def begin(self, name: str, size: int | None) -> None:
        """Show a log."""
        self._shown.reset(self._task, description=name if name.isprintable() else ascii(name), total=size)

    def advance(self, size: int) -> None:
        """Move on."""
        self._shown.advance(self._task, size)
