"""
Recipients that wait in the queue, so that an expired message can be told by domain.

qmgr(8) writes ``status=expired`` once for a message, without its recipients; they are those that the last attempt
deferred. Only a hash of each address is kept.
"""

from datetime import datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple

from maillog.model import Cause, JsonValue, Relay, Scope

QUEUE_LIMIT = 20_000
RECIPIENTS_LIMIT = 200_000
# Recipients that one attempt deferred; a recycled queue id may have left older ones.
SAME_ATTEMPT = timedelta(hours=1)


class Waiting(NamedTuple):
    """A recipient that the last attempt deferred."""

    time: datetime
    domain: str | None
    relay: Relay
    cause: Cause | None


class Queue:
    """
    The deferred recipients by queue id.

    The latest ``QUEUE_LIMIT`` messages are kept, and of them no more than have ``RECIPIENTS_LIMIT`` recipients.
    """

    def __init__(self) -> None:
        self._messages: dict[str, dict[str, Waiting]] = {}
        self._recipients = 0

    def defer(self, queue_id: str, recipient: str, waiting: Waiting) -> None:
        """Note that a recipient was deferred."""
        recipients = self._messages.pop(queue_id, {})
        self._recipients -= len(recipients)
        recipients[_hash(recipient)] = waiting
        self._recipients += len(recipients)
        self._messages[queue_id] = recipients
        if len(self._messages) > QUEUE_LIMIT or self._recipients > RECIPIENTS_LIMIT:
            self._take(next(iter(self._messages)))

    def holds(self, queue_id: str) -> bool:
        """Tell whether a recipient of the message was deferred."""
        return queue_id in self._messages

    def done(self, queue_id: str, recipient: str) -> None:
        """Note that a recipient needs no further attempt."""
        recipients = self._messages.get(queue_id)
        if recipients and recipients.pop(_hash(recipient), None):
            self._recipients -= 1
            if not recipients:
                del self._messages[queue_id]

    def expire(self, queue_id: str) -> list[Waiting]:
        """Take out and return the recipients that are now lost."""
        waiting = self._take(queue_id)
        if not waiting:
            return []
        last = max(recipient.time for recipient in waiting)
        return [recipient for recipient in waiting if last - recipient.time <= SAME_ATTEMPT]

    def _take(self, queue_id: str) -> list[Waiting]:
        recipients = self._messages.pop(queue_id, {})
        self._recipients -= len(recipients)
        return list(recipients.values())

    def carry(self) -> JsonValue:
        """Return the state as JSON."""
        return {
            queue_id: {name: [item.time.isoformat(), *item[1:]] for name, item in recipients.items()}
            for queue_id, recipients in self._messages.items()
        }

    def restore(self, state: JsonValue) -> None:
        """Put back what :meth:`carry` gave; raises the errors of a wrong shape."""
        self._messages = {
            queue_id: {name: _waiting(item) for name, item in recipients.items()}
            for queue_id, recipients in state.items()
        }
        self._recipients = sum(map(len, self._messages.values()))


def _hash(recipient: str) -> str:
    return blake2b(recipient.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _waiting(item: JsonValue) -> Waiting:
    time, domain, (host, ip, port, scope), cause = item
    return Waiting(
        datetime.fromisoformat(time),
        domain,
        Relay(host, ip, port, scope and Scope(scope)),
        cause and Cause(cause),
    )
