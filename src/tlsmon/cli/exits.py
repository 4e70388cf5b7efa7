"""The exit codes of all commands."""

from enum import IntEnum


class Exit(IntEnum):
    """What a command tells the program that called it."""

    DONE = 0
    NO = 1
    """The command asks a question, and the answer is no."""
    WRONG_USE = 2
    UNREADABLE = 3
    """Input or store could not be read or written, or only in part; what could be read was."""
