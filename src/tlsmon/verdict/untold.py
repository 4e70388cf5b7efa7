"""
Mail of which the log does not tell how it went, among mail of which it does.

It need not be like the rest. What a log leaves out may be just the mail in clear: with Exim, lines are not believed
where the host took some in clear before, or where they may have another session's cipher.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from tlsmon.evidence.model import Standing
from tlsmon.verdict.fates import Seen

ENOUGH: Final = 5
"""From so many mails on they may be those of a server that lost STARTTLS, or has it now and then."""
PART: Final = 1 / 3
"""Of the mail since the log first tells of some."""


class Untold(NamedTuple):
    """How many mails of one way; as columns, of all."""

    at_end: Any
    """Of which the log does not tell, since the last session of which it tells."""
    among: Any
    """The same, since the first mail of which it tells."""
    told: Any
    """Of which it tells."""

    @property
    def is_last(self) -> Any:
        """Tell whether the server may have lost STARTTLS while the log did not tell."""
        return self.at_end >= ENOUGH

    @property
    def is_much(self) -> Any:
        """Tell whether too much is left out to take it to be like the rest."""
        return (self.among >= ENOUGH) & (self.among >= PART * (self.among + self.told))


def untold(seen: Iterable[Seen]) -> Untold:
    """Return of how many mails the log does not tell how they went."""
    items = list(seen)
    last = max((found.last for found, standing in items if standing in (Standing.GOOD, Standing.BAD)), default=0)
    sent = [found for found, _ in items if found.outcome == "sent"]
    told = [found for found in sent if found.security in ("encrypted", "plaintext")]
    first = min((found.first for found in told), default=0)
    silent = [found for found in sent if found.security == "unknown"]
    return Untold(
        sum(found.attempts for found in silent if found.first > last),
        sum(found.attempts for found in silent if found.last > first),
        sum(found.attempts for found in told),
    )
