"""Evidence at a level -> a judgement of every domain."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import Final

from tlsmon.evidence.history import Behaviour
from tlsmon.evidence.model import Address, Sender, Standing
from tlsmon.evidence.standing import TLS_CAUSES
from tlsmon.rollup.model import Direction
from tlsmon.verdict.bounds import Counts, Pool, upper_bound
from tlsmon.verdict.clients import of_clients
from tlsmon.verdict.fates import (
    Chances,
    Seen,
    fates,
    is_mail,
    lost_share,
    may_bounce,
    passed_over,
)
from tlsmon.verdict.known import Known, spans
from tlsmon.verdict.model import Fates, HostCounts, Judgement, Thresholds, Verdict
from tlsmon.verdict.untold import untold
from tlsmon.verdict.words import Grounds, explain, of_worst

ProviderOf = Callable[[str], str]

_WORST_FIRST: Final = (Verdict.LOSES, Verdict.DELAYS, Verdict.UNPROVEN, Verdict.SAFE)


def judge(
    seen: Iterable[Seen],
    level: str,
    thresholds: Thresholds,
    provider_of: ProviderOf,
    known: Known,
) -> list[Judgement]:
    """
    Return a judgement for each recipient domain, sorted by domain.

    ``seen`` are attempts of one direction towards the internet within the window, with their standing at the level;
    ``provider_of`` gives the organisational domain of a host name. ``known``: what is known of all addresses.
    """
    domains: dict[str, list[Seen]] = defaultdict(list)
    for item in seen:
        domains[item.observation.domain].append(item)
    lenient = thresholds._replace(min_mails=0)
    judgements = []
    for name in sorted(domains):
        routes = _routes(domains[name])
        asked = thresholds if len(routes) == 1 else lenient
        parts = [_Domain(name, route, level, known, provider_of).judgement(asked) for route in routes]
        judgements.append(parts[0] if len(parts) == 1 else _joined(parts, thresholds.min_mails))
        if len(parts) > 1 and domains[name][0].observation.direction is Direction.INBOUND:
            judgements[-1] = of_clients(judgements[-1], parts, thresholds)
    return judgements


def _routes(seen: Iterable[Seen]) -> list[list[Seen]]:
    """
    Part a domain's attempts by the way that they took: the sender, and the port.

    What one sender reaches is no way out for another: one may send through a relay, the other to the MX hosts. An MX
    host is reached at port 25 (RFC 5321, section 5), so another port is a relay's, too. Attempts that reached no host
    go with the sender's busiest way. Inbound each client is a way by itself: none sends what another is refused.
    """
    ways: dict[Sender, dict[Hashable, list[Seen]]] = defaultdict(lambda: defaultdict(list))
    lost: dict[Sender, list[Seen]] = defaultdict(list)
    for item in seen:
        address = item.observation.address
        way = address if item.observation.direction is Direction.INBOUND else address.port
        home = ways[item.observation.sender][way] if address.host else lost[item.observation.sender]
        home.append(item)
    for sender, items in lost.items():
        busiest = max(ways[sender].values(), key=_attempts, default=ways[sender][None])
        busiest.extend(items)
    # In an order of their own, whatever that of the rows: where two are equally bad, the first is named.
    return [ways[sender][way] for sender in sorted(ways, key=str) for way in sorted(ways[sender], key=str)]


def _attempts(items: Iterable[Seen]) -> int:
    return sum(item.observation.attempts for item in items)


def _joined(parts: list[Judgement], min_mails: int) -> Judgement:
    """
    Return the judgements of a domain's several ways as one: counts add, the worst verdict and its reasons hold.

    The counts in the reasons are those of the worst way; so the first reason says that there are more.
    """
    telling = [part for part in parts if part.mails or part.verdict is not Verdict.UNPROVEN] or parts[:1]
    worst = min(telling, key=lambda part: _WORST_FIRST.index(part.verdict))
    mails = sum(part.mails for part in parts)
    few = worst.verdict is Verdict.SAFE and mails < min_mails
    bounds = [part.affected_upper_bound for part in telling]
    hosts: dict[str, HostCounts] = {}
    for host in (host for part in parts for host in part.mx_hosts):
        old = hosts.get(host.host, HostCounts(host.host, 0, 0, 0))
        hosts[host.host] = HostCounts(host.host, *(a + b for a, b in zip(old[1:], host[1:], strict=True)))
    return Judgement(
        worst.domain,
        Verdict.UNPROVEN if few else worst.verdict,
        mails,
        sum(part.connections for part in parts),
        sum(part.encrypted for part in parts),
        sum(part.plaintext for part in parts),
        sum(part.unknown for part in parts),
        Fates(*map(sum, zip(*(part.fates for part in parts), strict=True))),
        None if None in bounds else max(bound for bound in bounds if bound is not None),
        of_worst(worst.reasons, len(telling)),
        tuple(hosts[name] for name in sorted(hosts)),
        max((part.last_seen for part in parts if part.last_seen is not None), default=None),
        tuple(sorted({provider for part in parts for provider in part.providers})),
    )


class _Domain:
    """One domain on its way to a judgement."""

    def __init__(self, name: str, seen: list[Seen], level: str, known: Known, provider_of: ProviderOf) -> None:
        self._name = name
        self._level = level
        self._everywhere = known
        self._provider_of = provider_of
        told = [item for item in seen if item.standing is not Standing.SILENT]
        # The latest word of a server comes last, in whatever order the rows came.
        self._seen = sorted(told, key=_latest_last)
        self._chances = self._find_chances()

    def judgement(self, thresholds: Thresholds) -> Judgement:
        """Judge the domain."""
        mail = [item for item in self._seen if is_mail(item)]
        mails = sum(item.observation.attempts for item in mail)
        hosts = _host_counts(mail)
        by_fate = fates(self._seen, self._chances, self._level, thresholds.queue_days)
        upper = self._upper(by_fate, thresholds.confidence)
        verdict = self._verdict(mails, by_fate, upper, thresholds)
        grounds = Grounds(
            self._level, verdict, mails, by_fate, upper, tuple(mail), tuple(self._seen), self._chances, thresholds
        )
        return Judgement(
            self._name,
            verdict,
            mails,
            sum(item.observation.connections for item in mail),
            *_securities(hosts),
            by_fate,
            upper,
            explain(grounds),
            hosts,
            max((item.observation.last for item in mail), default=None),
            tuple(sorted({self._provider_of(item.observation.address.host) for item in mail})),
        )

    def _find_chances(self) -> Chances:
        used = self._used()
        known: dict[Address, Behaviour] = {}
        unknown = []
        for address in sorted(used, key=str):
            found = self._everywhere.of(self._name, address)
            if found is not None:
                known[address] = found
            if found is None or self._half_known(address, found):
                unknown.append(address)
        down = {address: self._down(address, found) for address, found in known.items()}
        bouncing = may_bounce(self._seen, known, self._everywhere.not_offering)
        return Chances(known, tuple(unknown), used, passed_over(self._seen), down, bouncing)

    def _used(self) -> dict[Address, tuple[int, int]]:
        """
        Return when mail was first and last seen at each address in use.

        The other addresses of its MX host, which took mail for other domains, are tried for this one, too.
        """
        mine = spans(self._seen)
        siblings = self._everywhere.siblings
        if not siblings:
            return mine
        keys = {(found.sender, found.address) for found, _ in self._seen if found.address in mine}
        others = {address: span for key in keys for address, span in siblings.get(key, {}).items()}
        return others | mine

    def _down(self, address: Address, found: Behaviour) -> float:
        failed = self._everywhere.failed.get(address.ip or "", 0)
        return failed / (failed + found.good + found.bad) if failed else 0.0

    def _half_known(self, address: Address, found: Behaviour) -> bool:
        """
        Tell whether the address has sessions of which the level may think better than of those that are known.

        Where STARTTLS comes and goes, the clear sessions are known to be bad; whether the certificate of the others
        would do is not, and so neither is whether mail would be lost or only late.
        """
        if found.good or self._level == "encrypt":
            return False
        here = [item for item in self._seen if item.observation.address == address]
        refused = min((item.observation.first for item in here if item.standing is Standing.BAD), default=0)
        return any(
            item.standing is Standing.OPEN
            and item.observation.security == "encrypted"
            and item.observation.last >= refused
            for item in here
        )

    def _verdict(self, mails: int, by_fate: Fates, upper: float | None, thresholds: Thresholds) -> Verdict:
        failing = self._chances.failing()
        if not mails and not self._fails_for_tls:
            return Verdict.UNPROVEN
        if by_fate.lost or (failing is not None and lost_share(failing, thresholds.queue_days) >= 0.5):  # noqa: PLR2004
            return Verdict.LOSES if self._decided else Verdict.UNPROVEN
        if mails and max(by_fate.delayed / mails, failing or 0.0) > thresholds.tolerated_delay:
            return Verdict.DELAYS if self._decided else Verdict.UNPROVEN
        if self._may_have_changed(thresholds) or self._relies_on_others(by_fate, mails, thresholds):
            return Verdict.UNPROVEN
        if upper is None or mails < thresholds.min_mails or upper > thresholds.max_share:
            return Verdict.UNPROVEN
        return Verdict.SAFE

    def _may_have_changed(self, thresholds: Thresholds) -> bool:
        """Whether the domain may have moved, or its server have no STARTTLS where the log does not tell."""
        moved = self._chances.deserted_for(thresholds.tolerated_delay) is not None
        silent = untold(self._seen)
        return moved or silent.is_last or silent.is_much

    def _relies_on_others(self, by_fate: Fates, mails: int, thresholds: Thresholds) -> bool:
        """Whether much mail would have to go on from a host of which nobody knows that it lets it go on."""
        many = by_fate.rerouted > thresholds.max_share * mails
        return many and thresholds.max_share < 1 and bool(self._chances.may_bounce)

    @property
    def _fails_for_tls(self) -> bool:
        """Whether mail waits for no other reason than TLS."""
        return any(item.observation.cause in TLS_CAUSES and item.standing is Standing.BAD for item in self._seen)

    @property
    def _decided(self) -> bool:
        """Whether all addresses are known, so that none that is not could save the mail."""
        return not self._chances.open

    def _upper(self, by_fate: Fates, confidence: float) -> float | None:
        """
        Return the domain's bound: mail is affected only where every address fails, so the best one bounds it.

        That holds as long as the best one can be reached; the mail that was seen to be affected bounds it, too.
        """
        everywhere, provider_of = self._everywhere, self._provider_of
        known = self._chances.behaviours.items()
        least = min((everywhere.bound(*one, provider_of, confidence) for one in known), default=None)
        if least is None or not by_fate.affected:
            return least
        return max(least, upper_bound(Counts(sum(by_fate) - by_fate.affected, by_fate.affected), Pool(), confidence))


def _latest_last(item: Seen) -> tuple[int, str, str, str]:
    found = item.observation
    return found.last, found.cause or "", found.protocol or "", found.authentication or ""


def _host_counts(mail: Iterable[Seen]) -> tuple[HostCounts, ...]:
    hosts: dict[str, dict[str, int]] = {}
    for found, _ in mail:
        counts = hosts.setdefault(found.address.host, {"encrypted": 0, "plaintext": 0, "unknown": 0, "none": 0})
        counts[found.security] += found.attempts
    return tuple(
        HostCounts(host, counts["encrypted"], counts["plaintext"], counts["unknown"])
        for host, counts in sorted(hosts.items())
    )


def _securities(hosts: Iterable[HostCounts]) -> tuple[int, int, int]:
    """Return how many mails went over TLS, in clear, and unknown how."""
    every = list(hosts)
    return sum(one.encrypted for one in every), sum(one.plaintext for one in every), sum(one.unknown for one in every)
