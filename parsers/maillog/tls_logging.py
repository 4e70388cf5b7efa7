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

What is born before the first or after the last proof of a period is at its *edge*. It waits for a further proof, at most
``HELD_LIMIT`` deliveries or ``HELD_TIME`` long. Where the log ends, or a reload or restart begins a new period, the edge
is judged by itself: it is believed to be clear only if it is short (``EDGE_LIMIT`` deliveries, ``EDGE_TIME``) and does
not contradict what is known of its relays. Everything else is ``unknown``.

Contradiction: several relays that did TLS while logging was on fall silent together. Then logging was off (or somebody
strips STARTTLS from all our sessions); the log cannot tell which, so nothing is said.
"""

from collections import deque
from collections.abc import Iterable
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
        self._waiting: deque[Silent] = deque()
        self._first_birth: int | None = None
        self._last_birth = -1
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
        self._waiting.append(Silent(born, relay, delivery))
        return self._expire(delivery.time)

    def proof(self, born: int, time: datetime, relay: str | None) -> list[Delivery]:
        """Take a line that shows logging to be on for the process; return what is decided now."""
        self._first_birth = born if self._first_birth is None else min(self._first_birth, born)
        self._last_birth = max(self._last_birth, born)
        self._first_proof = self._first_proof or time
        self._last_proof = time
        if relay is not None:
            self._remember(relay)
        return self._release() if self._waiting else []

    def boundary(self) -> list[Delivery]:
        """Begin a new period, after a reload or restart: settings may be others from here."""
        decided = self.held()
        self._waiting.clear()
        self._first_birth, self._last_birth = None, -1
        self._first_proof = self._last_proof = None
        return decided

    def held(self) -> list[Delivery]:
        """Return what waits, judged as if nothing more came. Does not change the state."""
        before = [silent for silent in self._waiting if self._first_birth is None or silent.born < self._first_birth]
        after = [silent for silent in self._waiting if self._first_birth is not None and silent.born > self._last_birth]
        return [*self._edge(before, self._first_proof), *self._edge(after, self._last_proof)]

    def _proven(self, born: int) -> bool:
        return self._first_birth is not None and self._first_birth <= born <= self._last_birth

    def _remember(self, relay: str) -> None:
        self._encrypted.pop(relay, None)
        self._encrypted[relay] = None
        if len(self._encrypted) > RELAYS_KNOWN:
            del self._encrypted[next(iter(self._encrypted))]

    def _release(self) -> list[Delivery]:
        """Take out and judge what the new proof covers."""
        covered = [silent for silent in self._waiting if self._proven(silent.born)]
        if not covered:
            return []
        self._waiting = deque(silent for silent in self._waiting if not self._proven(silent.born))
        clear = self._contradictions(covered) < CONTRADICTIONS
        return [silent.delivery if clear else _unknown(silent.delivery) for silent in covered]

    def _expire(self, now: datetime) -> list[Delivery]:
        expired = []
        waiting = self._waiting
        while waiting and (len(waiting) > HELD_LIMIT or now - waiting[0].delivery.time > HELD_TIME):
            expired.append(_unknown(waiting.popleft().delivery))
        return expired

    def _edge(self, edge: list[Silent], proof: datetime | None) -> Iterable[Delivery]:
        clear = (
            proof is not None
            and len(edge) <= EDGE_LIMIT
            and all(abs(silent.delivery.time - proof) <= EDGE_TIME for silent in edge)
            and not self._contradictions(edge)
        )
        return (_inferred(silent.delivery) if clear else _unknown(silent.delivery) for silent in edge)

    def _contradictions(self, batch: list[Silent]) -> int:
        return len({silent.relay for silent in batch if silent.relay in self._encrypted})

    def carry(self) -> JsonValue:
        """Return the state as JSON."""
        return {
            "waiting": [[born, relay, delivery_to_json(delivery)] for born, relay, delivery in self._waiting],
            "births": [self._first_birth, self._last_birth],
            "proofs": [time and time.isoformat() for time in (self._first_proof, self._last_proof)],
            "encrypted": list(self._encrypted),
        }

    def restore(self, carry: JsonValue) -> None:
        """Put back what :meth:`carry` gave. Raises CarryError where it does not fit."""
        try:
            self._restore(carry)
        except (KeyError, TypeError, ValueError) as error:
            raise CarryError("A saved state of TLS logging cannot be read by this version.") from error

    def _restore(self, carry: JsonValue) -> None:
        # Written by carry(); a wrong shape raises one of the errors that restore() translates.
        state: dict = carry  # type: ignore[assignment,type-arg]
        self._waiting = deque(
            Silent(born, relay, delivery_from_json(delivery)) for born, relay, delivery in state["waiting"]
        )
        self._first_birth, self._last_birth = state["births"]
        self._first_proof, self._last_proof = (
            datetime.fromisoformat(time) if time else None for time in state["proofs"]
        )
        self._encrypted = dict.fromkeys(state["encrypted"])


def _unknown(delivery: Delivery) -> Delivery:
    return delivery._replace(tls=UNKNOWN)


def _inferred(delivery: Delivery) -> Delivery:
    return delivery._replace(tls=delivery.tls._replace(evidence=Evidence.INFERRED))
