"""
Domains that are enforced and now fail: which policy lines to take out before mail is lost.

The log tells of attempts, not of mails: one waiting mail makes an attempt every few minutes at first, then about every
hour. So for what still waits only the attempts are told; what bounced or expired are mails.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from tlsmon.evidence.model import Observation, Sender
from tlsmon.evidence.standing import TLS_CAUSES
from tlsmon.wording import count

if TYPE_CHECKING:
    from tlsmon.evidence.columns import Columns

DAY: Final = 86_400_000_000
LOCAL_CAUSES: Final = frozenset({"tls_local", "policy"})
PATIENCE_DAYS: Final = 1.0
"""After so long without a success a failure is not taken for a hiccup any more."""


class Advice(StrEnum):
    """What to do about a policy line."""

    REMOVE = "take this line out now"
    WAIT = "wait"


class Rule(NamedTuple):
    """A line of the policy in use that makes TLS mandatory."""

    line: int
    """Its number in the file, from 1."""
    key: str
    """The domain, parent domain or next hop that it is for."""


Governing = Callable[[Observation], Rule | None]
"""Gives the line that an attempt is under; None where there is none."""


class Failing(NamedTuple):
    """A domain that fails for TLS since its last success. Times are microseconds since 1970, UTC."""

    domain: str
    advice: Advice
    reason: str
    """Why, in words."""
    deferred: int
    """Attempts, not mails: each waiting mail is tried many times."""
    lost: int
    """Mails that bounced or expired, each of which its sender got back."""
    oldest: int
    """The first failure since the last success: a mail waits at least since then."""
    newest: int
    last_success: int | None
    """None: no success within the window, so ``oldest`` may be older than it is known to be."""
    bounce_at: int | None
    """When the first waiting mail will expire: the oldest failure plus the queue lifetime. None: nothing waits."""
    causes: tuple[str, ...]
    hosts: tuple[str, ...]
    rule: Rule | None = None
    """The line that the domain is under, where the policy in use is known."""


class LocalFault(NamedTuple):
    """TLS failures of the sender's own making, such as a broken policy table or CA file. No domain is to blame."""

    sender: Sender
    cause: str
    attempts: int
    domains: int
    first: int
    last: int


class Watch(NamedTuple):
    """The answer of ``tlsmon watch``."""

    failing: tuple[Failing, ...]
    """Lines to be taken out first, then by the time of the bounce."""
    local: tuple[LocalFault, ...]

    @property
    def alarm(self) -> bool:
        """Tell whether there is something to be done now."""
        return bool(self.local) or any(item.advice is Advice.REMOVE for item in self.failing)


def watch(observations: Iterable[Observation], governing: Governing | None, now: int, queue_days: float = 5.0) -> Watch:
    """
    Return what fails now.

    ``governing`` gives the line of the policy in use; what is under none is passed over. None: all that fails for TLS.
    ``now``: microseconds since 1970, UTC. The observations should reach back for more than the queue lifetime.
    """
    groups: dict[tuple[str, Rule | None], list[Observation]] = defaultdict(list)
    local: list[Observation] = []
    for item in observations:
        rule = governing(item) if governing else None
        if item.cause in LOCAL_CAUSES:
            local.append(item)
        elif rule or not governing:
            groups[item.domain, rule].append(item)
    found = [
        one._replace(rule=rule)
        for (domain, rule), items in groups.items()
        if (one := _failing(domain, items, now, queue_days))
    ]
    return Watch(tuple(sorted(found, key=_urgency)), tuple(_faults(local)))


def failed_in(found: "Columns") -> list[Observation]:
    """Return the attempts of domains with one that failed for TLS or a local cause: all that :func:`watch` needs."""
    return found.of_domains(found.where(lambda kind: kind.cause in TLS_CAUSES | LOCAL_CAUSES)).observations()


def _urgency(item: Failing) -> tuple[bool, int, str]:
    return item.advice is not Advice.REMOVE, item.bounce_at or 0, item.domain


def _failing(domain: str, items: Sequence[Observation], now: int, queue_days: float) -> Failing | None:
    success = max((item.last for item in items if item.outcome == "sent"), default=None)
    failures = [item for item in items if item.cause in TLS_CAUSES and (success is None or item.last > success)]
    if not failures:
        return None
    waiting = [item for item in failures if item.outcome == "deferred"]
    lost = sum(item.attempts for item in failures if item.outcome in ("bounced", "expired"))
    queue = int(queue_days * DAY)
    # What was first seen before the success may have failed last before it, too: it counts from the success on.
    starts = [max(item.first, (success or 0) + 1) for item in failures]
    still = [max(item.first, (success or 0) + 1) for item in waiting if item.last > now - queue]
    bounce = max(min(still) + queue, now) if still else None
    advice, reason = _advice(lost, min(starts), bounce, now)
    return Failing(
        domain,
        advice,
        reason,
        sum(item.attempts for item in waiting),
        lost,
        min(starts),
        max(item.last for item in failures),
        success,
        bounce,
        tuple(sorted({item.cause for item in failures if item.cause})),
        tuple(sorted({item.address.host for item in failures if item.address.host})),
    )


def _advice(lost: int, oldest: int, bounce: int | None, now: int) -> tuple[Advice, str]:
    """Say what to do: what is lost already, or waits for long without any success, is no hiccup."""
    if lost:
        return Advice.REMOVE, f"{count(lost, 'mail')} went back to their senders, and none got through since"
    if bounce is not None and now - oldest >= PATIENCE_DAYS * DAY:
        days = max(bounce - now, 0) / DAY
        return (
            Advice.REMOVE,
            f"nothing got through for {(now - oldest) / DAY:.1f} days; mail bounces in {days:.1f} days",
        )
    return Advice.WAIT, "it fails for less than a day; the next attempts may succeed"


def _faults(items: Iterable[Observation]) -> Iterable[LocalFault]:
    groups: dict[tuple[Sender, str], list[Observation]] = defaultdict(list)
    for item in items:
        groups[item.sender, item.cause or ""].append(item)
    for (sender, cause), found in sorted(groups.items(), key=str):
        yield LocalFault(
            sender,
            cause,
            sum(item.attempts for item in found),
            len({item.domain for item in found}),
            min(item.first for item in found),
            max(item.last for item in found),
        )
