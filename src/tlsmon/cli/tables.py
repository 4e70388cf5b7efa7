"""Policies in use, as the commands read them."""

from enum import StrEnum
from pathlib import Path
from typing import Final

from tlsmon.api import UnreadableError

SURROGATES: Final = "surrogateescape"
"""Every byte of a table that people wrote must survive, also what is no UTF-8, and each kind of line end."""


class Mta(StrEnum):
    """The program that the policy is for."""

    POSTFIX = "postfix"
    EXIM = "exim"


def read_table(path: Path) -> str:
    """Return a file with each of its bytes. Raises UnreadableError."""
    try:
        with path.open(encoding="utf-8", errors=SURROGATES, newline="") as file:
            return file.read()
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read ({error.strerror}).", "Name the table in use.") from error
