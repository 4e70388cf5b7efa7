"""
What a level would do to the mail of one domain, given how its addresses behave now.

An MTA tries the addresses of all MX hosts in turn, in one attempt: a server that is refused for TLS costs nothing as
long as another one is accepted (Postfix: ``smtp_connect.c:smtp_connect_inet``; TLS failures count towards
smtp_mx_address_limit, 5, not towards smtp_mx_session_limit; Exim: hosts_max_try, 5). What fails is tried again until
the queue lifetime is over. Mail is judged by what its server does *now*.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from math import prod
from types import MappingProxyType
from typing import Final, NamedTuple

from tlsmon.evidence.history import Behaviour
from tlsmon.evidence.model import Address, Observation, Standing
from tlsmon.evidence.sessions import SECOND, Sessions
from tlsmon.evidence.standing import TLS_CAUSES
from tlsmon.rollup.model import Direction
from tlsmon.verdict.model import Fate, Fates

ADDRESS_LIMIT: Final = 5
UNNAMED: Final = "?"
"""An address that the log does not name."""
REROUTED_AT: Final = 0.05
"""Share of failures at the other addresses up to which they are relied on."""
# minimal_backoff_time 300 s, doubled up to maximal_backoff_time 4000 s; Exim's default rule is alike.
_FIRST_RETRIES, _FIRST_SECONDS, _LATER_SECONDS = 4, 4_500, 4_000
_GONE_AT = 0.05
_DAY = 86_400


class Seen(NamedTuple):
    """An observation and what it says at the level."""

    observation: Observation
    standing: Standing

    @property
    def sessions(self) -> Sessions:
        """Return it as the history of an address takes it: one session for each connection."""
        size = self.observation
        return Sessions(self.standing is Standing.GOOD, size.connections, size.first, size.last)


class Chances(NamedTuple):
    """How the addresses that may take a domain's mail behave now."""

    behaviours: dict[Address, Behaviour]
    """Of the addresses that are in use and of which something is known."""
    open: tuple[Address, ...]
    """In use, and the log does not tell."""
    used: dict[Address, tuple[int, int]]
    """When the domain's mail was first and last seen at each address."""
    passed_over: Mapping[Address, frozenset[str]] = MappingProxyType({})
    """See :func:`passed_over`."""
    down: Mapping[Address, float] = MappingProxyType({})
    """Share of attempts at an address, for any domain, that failed and left the mail to another host; 0 if missing."""
    may_bounce: tuple[Address, ...] = ()
    """See :func:`may_bounce`."""

    def deserted_for(self, tolerated: float) -> Address | None:
        """
        Return an address that fails, and since whose first mail none that is in order was used; None in other cases.

        The domain may have moved there, and then no other server takes its mail any more.
        """
        fine = [self.used[address][1] for address, known in self.behaviours.items() if known.share_bad <= tolerated]
        for address, known in self.behaviours.items():
            if known.share_bad > tolerated and fine and self.used[address][0] > max(fine):
                return address
        return None

    def failing(self) -> float | None:
        """Return the share of attempts that fail at all addresses; None without evidence."""
        shares = [known.share_bad for known in self.behaviours.values()]
        return prod(shares) if shares else None

    def another_takes(self, observation: Observation) -> bool:
        """Tell whether an address that can be relied on would have taken the mail in the same attempt."""
        gone = out_of_reach(observation, self.behaviours, self.passed_over) | {observation.address}
        others = [
            1 - (1 - known.share_bad) * (1 - self.down.get(address, 0.0))
            for address, known in self.behaviours.items()
            if address not in gone
        ]
        return bool(others) and prod(others) <= REROUTED_AT and self.refused < ADDRESS_LIMIT

    @property
    def refused(self) -> int:
        """Return how many addresses would be refused more often than not."""
        return sum(known.share_bad > 0.5 for known in self.behaviours.values())  # noqa: PLR2004


def retries(queue_days: float) -> int:
    """Return how often an MTA with default settings tries a mail within its queue lifetime."""
    return max(int((queue_days * _DAY - _FIRST_SECONDS) / _LATER_SECONDS), 0) + _FIRST_RETRIES + 1


def in_use(seen: Sequence[Seen]) -> set[Address]:
    """
    Return the addresses that still take the domain's mail.

    One that took a share s of it before is gone if the mail after its last session would have missed it with a chance
    of less than 5 %.
    """
    met = {observation.address for observation, _ in seen}
    if len(met) == 1:
        return met
    uses = _uses(seen)
    total: dict[Address, int] = {}
    last: dict[Address, int] = {}
    for use in uses:
        total[use.address] = total.get(use.address, 0) + use.number
        last[use.address] = max(last.get(use.address, 0), use.last)
    return {address for address in total if not _gone(address, max(total[address], 1), last[address], uses)}


class _Use(NamedTuple):
    """How often an MTA chose an address, and when: seconds since 1970."""

    address: Address
    number: int
    first: int
    last: int


def _uses(seen: Iterable[Seen]) -> list[_Use]:
    """Count choices of an address: one for each connection, and those of one second are one."""
    moments: dict[tuple[Address, int], int] = {}
    uses = []
    for found, _ in seen:
        first, last = found.first // SECOND, found.last // SECOND
        number = min(found.connections, last - first + 1)
        if first != last:
            uses.append(_Use(found.address, number, first, last))
        else:
            moments[found.address, first] = max(number, moments.get((found.address, first), 0))
    return [*uses, *(_Use(address, number, time, time) for (address, time), number in moments.items())]


def _gone(address: Address, taken: int, last: int, uses: Sequence[_Use]) -> bool:
    others = [use for use in uses if use.address != address]
    after = sum(_after(use, last) for use in others)
    before = sum(use.number for use in others) - after
    share = taken / (taken + before + 1)
    return bool((1 - share) ** after < _GONE_AT)


def _after(use: _Use, time: int) -> int:
    """Return how many of the choices were after a time; those around it count as evenly spread."""
    if use.first > time:
        return use.number
    if use.last <= time or not use.number:
        return 0
    spread = (use.last - time) / (use.last - use.first)
    return max(round(use.number * spread), 1)


def passed_over(seen: Iterable[Seen]) -> dict[Address, frozenset[str]]:
    """
    Return for each address which other ones must be counted as failed whenever it took mail.

    Postfix tries every host anew for each mail, and each failure stands in the log before that mail. Exim remembers for
    a while which hosts failed and passes over them in silence (its retry database), so one such line speaks for all.
    """
    found: dict[Address, frozenset[str]] = {}
    for observation, _ in seen:
        if observation.earlier and observation.sender.mta == "exim":
            found[observation.address] = found.get(observation.address, frozenset()) | observation.earlier
    return found


def may_bounce(seen: Iterable[Seen], used: Container[Address], not_offering: Container[str]) -> tuple[Address, ...]:
    """
    Return the addresses that took mail in clear from a Postfix and may have refused STARTTLS with 5xx.

    At ``may`` that leaves no trace. At a mandatory level Postfix returns the mail at once and tries no other host
    (``smtp_proto.c:smtp_start_tls``), so that another one that has TLS is no help. An address that was seen not to
    offer STARTTLS at all is harmless; ``not_offering`` are those (IP) of which a probe says so.
    """
    items = [item for item in seen if item.observation.sender.mta == "postfix" and item.observation.address in used]
    clear = {item.observation.address for item in items if item.observation.security == "plaintext"}
    harmless = {item.observation.address for item in items if item.observation.cause == "tls_not_offered"}
    return tuple(sorted((one for one in clear - harmless if one.ip not in not_offering), key=str))


def out_of_reach(
    observation: Observation, others: Iterable[Address], silent: Mapping[Address, frozenset[str]]
) -> set[Address]:
    """Return the other addresses that could not have taken the mail: they had failed, or nobody knows which had."""
    failed = observation.earlier | silent.get(observation.address, frozenset())
    return {other for other in others if other.ip in failed or UNNAMED in failed}


def fates(seen: Sequence[Seen], chances: Chances, level: str, queue_days: float) -> Fates:
    """Return the mails of the domain by fate."""
    counts = dict.fromkeys(Fate, 0)
    for item in seen:
        if is_mail(item):
            counts[_fate(item, chances, level, queue_days)] += item.observation.attempts
    return Fates(*(counts[fate] for fate in Fate))


def is_mail(item: Seen) -> bool:
    """Tell whether the attempt ended the story of a mail: delivered, or lost for TLS."""
    observation = item.observation
    lost = observation.outcome in ("bounced", "expired") and observation.cause in TLS_CAUSES
    return observation.outcome == "sent" or (lost and item.standing is Standing.BAD)


def _fate(item: Seen, chances: Chances, level: str, queue_days: float) -> Fate:
    observation = item.observation
    standing = _standing_now(item, chances.behaviours.get(observation.address))
    if standing is Standing.GOOD:
        return Fate.DELIVERED
    if standing is not Standing.BAD:
        return Fate.UNKNOWN
    if bounces_at_once(observation, level):
        return Fate.LOST
    if chances.another_takes(observation):
        return Fate.REROUTED
    every = chances.failing()
    return Fate.LOST if lost_share(every, queue_days) >= 0.5 else Fate.DELAYED  # noqa: PLR2004


def lost_share(failing: float | None, queue_days: float) -> float:
    """Return the share of mail of which every attempt fails, given the share of failing attempts."""
    return 1.0 if failing is None else float(failing ** retries(queue_days))


def _standing_now(item: Seen, behaviour: Behaviour | None) -> Standing:
    """Judge a mail from before a change by what its server does since."""
    changed = behaviour is not None and behaviour.since is not None and item.observation.last < behaviour.since
    if not changed or behaviour is None or item.standing not in (Standing.GOOD, Standing.BAD):
        return item.standing
    return Standing.BAD if behaviour.share_bad > 0.5 else Standing.GOOD  # noqa: PLR2004


def bounces_at_once(observation: Observation, level: str) -> bool:
    """
    Tell whether the refusal is final, or the mail was in fact returned when its queue lifetime was over.

    Postfix bounces on a 5xx reply to STARTTLS and leaves the other MX hosts untried (``smtp_proto.c:smtp_start_tls``);
    Exim's hosts_require_dane bounces where a secure TLSA record is missing (``smtp.c:check_force_dane_conn``).
    Inbound our own answer to MAIL in clear is final: 530 5.7.0 (RFC 3207, section 4).
    """
    if observation.direction is Direction.INBOUND:
        return True
    if observation.outcome == "expired" or (observation.cause == "tls_refused" and observation.outcome == "bounced"):
        return True
    return level == "dane-only" and observation.sender.mta == "exim"
