"""
Was TLS logging on?

A delivery without a TLS line went in clear only if the MTA would have written one. Settings change, and a log says so
nowhere; it only shows *proofs*: lines that exist because TLS logging is on. This module decides for the silent
deliveries between, before and after the proofs.

Theory of operation
-------------------
An MTA process reads its settings when it starts (Postfix: smtp(8) processes serve up to ``max_use`` requests; Exim: one
process for each delivery). So what counts is when the process was *born*, a running number in order of first lines, not
when it wrote. A proof by a process shows that logging was on at its birth. A process born between two such births, with
no reload seen between them, had logging on as well: its silent deliveries went in clear.

What is born before the first or after the last proof of a period is at its *edge*. It waits for a further proof, at
most ``HELD_LIMIT`` deliveries or ``HELD_TIME`` long. Where the log ends, or a reload begins a new period,
the edge is judged by itself: it is believed to be clear only if it is short (``EDGE_LIMIT`` deliveries, ``EDGE_TIME``)
and does not contradict what is known of its relays. Everything else is ``unknown``.

Contradiction: several relays that did TLS while logging was on fall silent together. Then logging was off (or somebody
strips STARTTLS from all our sessions); the log cannot tell which, so nothing is said, neither then nor of what the
processes that were born between the two proofs do later.
"""

from collections import deque
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from maillog.carry import delivery_from_json, delivery_to_json
from maillog.errors import CarryError
from maillog.model import Delivery, Evidence, JsonValue, Security, Tls

HELD_LIMIT = 5_000
HELD_TIME = timedelta(hours=6)
EDGE_LIMIT = 50
EDGE_TIME = timedelta(hours=1)
CONTRADICTIONS = 3
RELAYS_KNOWN = 10_000

UNKNOWN = Tls(Security.UNKNOWN)


class Silent(NamedTuple):
    """A delivery without a TLS line that waits for a proof."""

    born: int
    relay: str
    delivery: Delivery
    """As it is to read if logging was on."""


class TlsLogging:
    """The proofs of one tag of one host, and the silent deliveries that wait for one."""

    def __init__(self) -> None:
        self._before: list[Silent] = []
        self._after: deque[Silent] = deque()
        self._first_birth: int | None = None
        self._last_birth = -1
        self._born_before = -1
        self._doubtful: tuple[int, int] | None = None
        """The births between these two are of a time when logging was off, as it seems."""
        self._first_proof: datetime | None = None
        self._last_proof: datetime | None = None
        self._encrypted: dict[str, None] = {}

    def silent(self, delivery: Delivery, born: int, relay: str) -> list[Delivery]:
        """
        Take a delivery without a TLS line, written as plaintext; return what is decided now.

        ``born`` is the running number of its process, ``relay`` a key of the relay's address.
        """
        if self._proven(born):
            return [delivery]
        if born <= self._born_before or self._is_doubtful(born):
            return [_unknown(delivery)]
        silent = Silent(born, relay, delivery)
        if self._first_birth is not None and born < self._first_birth:
            self._before.append(silent)
        else:
            self._after.append(silent)
        return self._expire(delivery.time)

    def proof(self, born: int, time: datetime, relay: str | None) -> list[Delivery]:
        """Take a line that shows logging to be on for the process; return what is decided now."""
        if born <= self._born_before:
            return []
        self._last_proof = time
        if relay is not None:
            self._remember(relay)
        if self._proven(born):
            return []
        gap = (self._last_birth, born) if born > self._last_birth else (born, self._first_birth or born)
        self._first_birth = born if self._first_birth is None else min(self._first_birth, born)
        self._last_birth = max(self._last_birth, born)
        self._first_proof = self._first_proof or time
        return self._release(gap) if self._before or self._after else []

    def boundary(self, last_birth: int = -1) -> list[Delivery]:
        """
        Begin a new period, after a reload or restart: settings may be others from here.

        Processes born up to ``last_birth`` may go on for a while; they show nothing of the new settings.
        """
        decided = self.held()
        self._before.clear()
        self._after.clear()
        self._first_birth, self._last_birth, self._born_before = None, -1, last_birth
        self._doubtful = None
        self._first_proof = self._last_proof = None
        return decided

    def held(self) -> list[Delivery]:
        """Return what waits, judged as if nothing more came. Does not change the state."""
        return [*self._edge(self._before, self._first_proof), *self._edge(self._after, self._last_proof)]

    def _proven(self, born: int) -> bool:
        within = self._first_birth is not None and self._first_birth <= born <= self._last_birth
        return within and not self._is_doubtful(born)

    def _is_doubtful(self, born: int) -> bool:
        return self._doubtful is not None and self._doubtful[0] < born < self._doubtful[1]

    def _remember(self, relay: str) -> None:
        self._encrypted.pop(relay, None)
        self._encrypted[relay] = None
        if len(self._encrypted) > RELAYS_KNOWN:
            del self._encrypted[next(iter(self._encrypted))]

    def _release(self, gap: tuple[int, int]) -> list[Delivery]:
        """Take out and judge what the new proof covers; ``gap``: between which births there was no proof so far."""
        waiting = [*self._before, *self._after]
        first = self._first_birth or 0
        covered = [silent for silent in waiting if self._proven(silent.born)]
        self._before = [silent for silent in waiting if silent.born < first]
        self._after = deque(silent for silent in waiting if silent.born > self._last_birth)
        clear = self._contradictions(covered) < CONTRADICTIONS
        if not clear:
            known = self._doubtful or gap
            self._doubtful = (min(known[0], gap[0]), max(known[1], gap[1]))
        return [silent.delivery if clear else _unknown(silent.delivery) for silent in covered]

    def _expire(self, now: datetime) -> list[Delivery]:
        """Give up what has waited too long or is too much to keep."""
        expired = []
        after = self._after
        while after and (len(after) > HELD_LIMIT or now - after[0].delivery.time > HELD_TIME):
            expired.append(_unknown(after.popleft().delivery))
        if self._before and (len(self._before) > EDGE_LIMIT or now - self._before[0].delivery.time > HELD_TIME):
            expired += self._edge(self._before, self._first_proof)
            self._before.clear()
        return expired

    def _edge(self, edge: Collection[Silent], proof: datetime | None) -> Iterable[Delivery]:
        clear = (
            proof is not None
            and len(edge) <= EDGE_LIMIT
            and all(abs(silent.delivery.time - proof) <= EDGE_TIME for silent in edge)
            and not self._contradictions(edge)
        )
        return (_inferred(silent.delivery) if clear else _unknown(silent.delivery) for silent in edge)

    def _contradictions(self, batch: Collection[Silent]) -> int:
        return len({silent.relay for silent in batch if silent.relay in self._encrypted})

    def carry(self) -> JsonValue:
        """Return the state as JSON."""
        return {
            "before": [[born, relay, delivery_to_json(delivery)] for born, relay, delivery in self._before],
            "after": [[born, relay, delivery_to_json(delivery)] for born, relay, delivery in self._after],
            "births": [self._first_birth, self._last_birth, self._born_before],
            "doubtful": self._doubtful,
            "proofs": [time and time.isoformat() for time in (self._first_proof, self._last_proof)],
            "encrypted": list(self._encrypted),
        }

    def restore(self, carry: JsonValue) -> None:
        """Put back what :meth:`carry` gave. Raises CarryError where it does not fit."""
        try:
            self._restore(carry)
        except (KeyError, TypeError, ValueError) as error:
            raise CarryError("A saved state of TLS logging cannot be read by this version.") from error

    def _restore(self, state: JsonValue) -> None:
        # Written by carry(); a wrong shape raises one of the errors that restore() translates.
        self._before = [_silent(value) for value in state["before"]]
        self._after = deque(_silent(value) for value in state["after"])
        self._first_birth, self._last_birth, self._born_before = state["births"]
        doubtful = state.get("doubtful")  # states of versions before know none
        self._doubtful = doubtful and (doubtful[0], doubtful[1])
        self._first_proof, self._last_proof = (
            datetime.fromisoformat(time) if time else None for time in state["proofs"]
        )
        self._encrypted = dict.fromkeys(state["encrypted"])


def _silent(value: JsonValue) -> Silent:
    born, relay, delivery = value
    return Silent(born, relay, delivery_from_json(delivery))


def _unknown(delivery: Delivery) -> Delivery:
    return delivery._replace(tls=UNKNOWN)


def _inferred(delivery: Delivery) -> Delivery:
    return delivery._replace(tls=delivery.tls._replace(evidence=Evidence.INFERRED))
