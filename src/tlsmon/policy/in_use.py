"""Which line of the policy in use an attempt is under, by its number in the file."""

from collections.abc import Iterator
from typing import NamedTuple

from maillog.model import Level
from tlsmon.evidence.model import Observation
from tlsmon.policy.table import Entry, Table, is_blank, read_exim, read_postfix
from tlsmon.verdict.watch import Rule

SMTP_PORT = 25
_OPPORTUNISTIC = frozenset({None, Level.NONE, Level.MAY})


class Problem(NamedTuple):
    """A line that the mail server cannot read."""

    line: int
    reason: str


class InUse:
    """
    A table in use. Calling it gives the line that an attempt is under.

    Postfix looks for the next hop, which no log names: taken for the recipient domain, then its parents with a leading
    dot (``smtp_tls_policy.c:tls_policy_lookup``), then ``[host]``; at another port than 25 for ``[host]:port`` alone.
    """

    def __init__(self, table: Table, text: str) -> None:
        self._parents = table.covers_parents
        self._rules: dict[str, tuple[Rule, Entry]] = {}
        self.problems: list[Problem] = []
        for number, entry, problem in _numbered(table, text):
            if problem:
                self.problems.append(Problem(number, problem))
            if entry:
                self._rules.setdefault(entry.key, (Rule(number, entry.key), entry))

    @classmethod
    def of_postfix(cls, text: str) -> "InUse":
        """Read a table of smtp_tls_policy_maps."""
        return cls(read_postfix(text), text)

    @classmethod
    def of_exim(cls, text: str) -> "InUse":
        """Read a list of domains for which a transport demands TLS."""
        return cls(read_exim(text, Level.ENCRYPT), text)

    def __call__(self, observation: Observation) -> Rule | None:
        """Return the line that makes TLS mandatory for the attempt; None where there is none."""
        for key in self._keys(observation):
            if key in self._rules:
                rule, entry = self._rules[key]
                return None if entry.level in _OPPORTUNISTIC else rule
        return None

    def _keys(self, observation: Observation) -> Iterator[str]:
        host, _, port = observation.address
        if not self._parents:
            yield observation.domain
            return
        if host and port not in (None, SMTP_PORT):
            yield f"[{host}]:{port}"  # a relay's port: the domain's line has no effect on what is sent there
            return
        labels = observation.domain.split(".")
        yield observation.domain
        yield from (f".{'.'.join(labels[number:])}" for number in range(1, len(labels)))
        if host:
            yield from (f"[{host}]", f"[{host}]:{SMTP_PORT}")


def _numbered(table: Table, text: str) -> Iterator[tuple[int, Entry | None, str | None]]:
    """Yield the pieces that are more than comments with the numbers of their first lines in the file."""
    lines = enumerate(text.split("\n"), 1)
    for piece in table.pieces:
        first = next((line for line in piece.text.split("\n") if not is_blank(line)), None)
        if first is not None:
            yield next(number for number, line in lines if line == first), piece.entry, piece.problem
