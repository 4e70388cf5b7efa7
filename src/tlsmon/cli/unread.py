"""``--unread FILE``: the lines that look relevant and could not be read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tlsmon.cli.output import printable
from tlsmon.config import SettingError

if TYPE_CHECKING:
    from tlsmon.api import UnreadLine


@contextlib.contextmanager
def unread_writer(path: Path | None) -> Iterator[Callable[[str, UnreadLine], None]]:
    """Give a function that takes the name of a log and a line of it. Raises SettingError where no file can be made."""
    if path is None:
        yield lambda _name, _line: None
        return
    with _private_file(path) as file:

        def write(name: str, line: UnreadLine) -> None:
            file.write(printable(f"{name}:{line.number}: {line.reason}: {line.text}") + "\n")

        yield write


class Counted:
    """Passes on the lines that could not be read, and counts them."""

    def __init__(self, write: Callable[[str, UnreadLine], None]) -> None:
        self._write = write
        self.lines = 0

    def __call__(self, name: str, line: UnreadLine) -> None:
        """Take a line of the log of that name."""
        self.lines += 1
        self._write(name, line)


def unread_sentence(lines: int) -> str:
    """Return what to do about so many lines, at least one."""
    what = "1 line looks" if lines == 1 else f"{lines:,} lines look"
    return f"{what} relevant and could not be read. `tlsmon parse LOG --unread FILE` shows which."


def _private_file(path: Path) -> IO[str]:
    # The lines hold addresses of people: for the owner's eyes only.
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8")
    except OSError as error:
        raise SettingError(f"{path}: cannot be written ({error.strerror}).", hint="Name another file.") from error
