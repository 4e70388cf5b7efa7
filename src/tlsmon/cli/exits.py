"""The exit codes of all commands."""

from enum import IntEnum


class Exit(IntEnum):
    """What a command tells the program that called it."""

    DONE = 0
    NO = 1
    WRONG_USE = 2
    UNREADABLE = 3

    @property
    def meaning(self) -> str:
        """Return it in words, as the manual has it."""
        return {
            Exit.DONE: "Done.",
            Exit.NO: "The command asks a question, and the answer is no.",
            Exit.WRONG_USE: "Wrong use.",
            Exit.UNREADABLE: "Input or store could not be read or written, or only in part; what could be read was.",
        }[self]
