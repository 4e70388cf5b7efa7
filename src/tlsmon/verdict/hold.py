"""
Is it the sender's own fault, or one hop for everything? Both would make every verdict wrong in the same way.

A firewall that strips STARTTLS, or a broken CA bundle, makes many unrelated providers change at once. A smarthost takes
the mail of all domains, so the policy belongs on that hop and not on the domains.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from tlsmon.evidence.history import behaviour
from tlsmon.evidence.model import Observation, Standing
from tlsmon.evidence.sessions import Sessions
from tlsmon.verdict.fates import Seen
from tlsmon.verdict.model import Judgement, Verdict
from tlsmon.verdict.words import day

PROVIDERS_TOGETHER: Final = 3
SHARE_TOGETHER: Final = 0.3
GOOD_BEFORE: Final = 3
DAY: Final = 86_400_000_000
SMARTHOST_SHARE: Final = 0.99
SMARTHOST_DOMAINS: Final = 5
SUBMISSION_PORTS: Final = frozenset({465, 587})

ProviderOf = Callable[[str], str]


class Change(NamedTuple):
    """A provider whose sessions were good and are no longer."""

    provider: str
    since: int


def hold(seen: Iterable[Seen], provider_of: ProviderOf) -> str | None:
    """Return why every verdict is to be held, or None."""
    sessions: dict[str, list[Sessions]] = defaultdict(list)
    for item in seen:
        if item.standing in (Standing.GOOD, Standing.BAD):
            sessions[provider_of(item.observation.address.host)].append(item.sessions)
    return of_sessions(sessions, [max(item.last for item in items) for items in sessions.values()])


def of_sessions(sessions: Mapping[str, Sequence[Sessions]], last: Iterable[int]) -> str | None:
    """
    Return why every verdict is to be held, or None.

    ``sessions`` by provider, of those at least that have both good and bad ones; ``last``: when each provider was last
    seen, microseconds since 1970, UTC.
    """
    changes = [change for provider, items in sessions.items() if (change := _change(provider, items))]
    together = _most_together(changes)
    if len(together) < PROVIDERS_TOGETHER:
        return None
    active = sum(time >= together[0].since for time in last)
    if len(together) < SHARE_TOGETHER * active:
        return None
    names = ", ".join(sorted(change.provider for change in together)[:5])
    return (
        f"{len(together)} of {active} unrelated providers stopped to offer acceptable TLS within a day, "
        f"on {day(together[0].since)} ({names}): look for the reason on your own side first "
        "(a firewall that strips STARTTLS, the CA bundle); until then no domain is called safe"
    )


def _change(provider: str, sessions: Sequence[Sessions]) -> Change | None:
    now = behaviour(sessions)
    if now.since is None or now.good_before < GOOD_BEFORE or now.share_bad <= 0.5:  # noqa: PLR2004
        return None
    return Change(provider, now.since) if now.good_before > now.bad_before else None


def _most_together(changes: Iterable[Change]) -> list[Change]:
    """Return the largest set of changes within a day, in order of time."""
    ordered = sorted(changes, key=lambda change: change.since)
    best: list[Change] = []
    for index, change in enumerate(ordered):
        together = [other for other in ordered[index:] if other.since - change.since <= DAY]
        best = max(best, together, key=len)
    return best


def held(judgements: Iterable[Judgement], reason: str) -> list[Judgement]:
    """Return the judgements with every ``safe`` taken back."""
    return [
        item._replace(verdict=Verdict.UNPROVEN, reasons=(f"held: {reason}", *item.reasons))
        if item.verdict is Verdict.SAFE
        else item
        for item in judgements
    ]


def smarthost(observations: Iterable[Observation]) -> str | None:
    """
    Return the one hop that takes the mail of all domains, as a policy key (``[relay.example]:587``), or None.

    A submission port is always a smarthost's; at port 25 one host for all of at least five domains is taken for one.
    """
    taken: dict[tuple[str, int | None], int] = defaultdict(int)
    domains: dict[tuple[str, int | None], set[str]] = defaultdict(set)
    total = 0
    for item in observations:
        if item.outcome == "sent":
            key = (item.address.host, item.address.port)
            taken[key] += item.attempts
            domains[key].add(item.domain)
            total += item.attempts
    for (host, port), mails in taken.items():
        many = len(domains[host, port]) >= SMARTHOST_DOMAINS or port in SUBMISSION_PORTS
        if many and mails >= SMARTHOST_SHARE * total:
            return f"[{host}]:{port or 25}"
    return None
