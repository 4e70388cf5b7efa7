"""What the log knows of all addresses at a level, whoever's mail they took."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Final, NamedTuple

from tlsmon.evidence.history import Behaviour, behaviour
from tlsmon.evidence.model import Address, Observation, Sender, Standing
from tlsmon.evidence.sessions import Sessions
from tlsmon.evidence.standing import TLS_CAUSES
from tlsmon.rollup.model import Direction
from tlsmon.verdict.bounds import Counts, Pool, upper_bound
from tlsmon.verdict.fates import Seen, in_use

POOLED_LEVELS: Final = frozenset({"encrypt", "verify"})
"""STARTTLS, and a certificate for the MX host's own name, are properties of the host. What names the domain is not."""
_DAY: Final = 86_400_000_000


class Known(NamedTuple):
    """What is known of all addresses at a level."""

    behaviours: Mapping[Hashable, Behaviour]
    pools: Mapping[str, Pool]
    pooled: bool
    failed: Mapping[str, int]
    """By address (IP): connections that failed there, for another reason than TLS, so that mail went on or waited."""
    not_offering: frozenset[str]
    """Addresses (IP) of which a probe found that they do not offer STARTTLS, so that they cannot refuse it."""
    siblings: Mapping[tuple[Sender, Address], Mapping[Address, tuple[int, int]]]
    """
    Addresses in use of the same MX host, and when they first and last took mail, for whatever domain; an MTA tries all
    of them.
    """

    def of(self, domain: str, address: Address) -> Behaviour | None:
        """Return how the address behaves towards the domain; None where no session tells."""
        return self.behaviours.get(address if self.pooled else (domain, address))

    def bound(self, address: Address, known: Behaviour, provider_of: Callable[[str], str], confidence: float) -> float:
        """Return the upper bound of the address's share of bad sessions."""
        own = Counts(known.good, known.bad)
        pool = self.pools.get(provider_of(address.host)) if self.pooled else None
        return upper_bound(own, pool.with_address(own, -1) if pool else Pool(), confidence)


def known_of(
    items: Sequence[Seen], level: str, provider_of: Callable[[str], str], not_offering: frozenset[str]
) -> Known:
    """Return what attempts of one direction, with their standing at the level, show of the addresses together."""
    pooled = level in POOLED_LEVELS
    sessions: dict[Hashable, list[Sessions]] = defaultdict(list)
    for item in items:
        if item.standing in (Standing.GOOD, Standing.BAD):
            address = item.observation.address
            key: Hashable = address if pooled else (item.observation.domain, address)
            sessions[key].append(item.sessions)
    behaviours = {key: behaviour(items) for key, items in sessions.items()}
    pools = pools_of(behaviours, provider_of) if pooled else {}
    failed: dict[str, int] = defaultdict(int)
    for observation, _ in items:
        for ip in observation.earlier:
            failed[ip] += observation.connections
        if observation.address.ip and put_off(observation):
            failed[observation.address.ip] += observation.connections
    outbound = bool(items) and items[0].observation.direction is Direction.OUTBOUND
    siblings = siblings_of(items) if pooled and outbound else {}
    return Known(behaviours, pools, pooled, failed, not_offering, siblings)


def pools_of(behaviours: Mapping[Hashable, Behaviour], provider_of: Callable[[str], str]) -> dict[str, Pool]:
    """Return what addresses, by which the behaviours are known, show of their providers."""
    pools: dict[str, Pool] = {}
    for address, known in behaviours.items():
        if isinstance(address, Address):
            provider = provider_of(address.host)
            pools[provider] = pools.get(provider, Pool()).with_address(Counts(known.good, known.bad))
    return pools


def put_off(observation: Observation) -> bool:
    """Tell whether the server was reached, and answered that it takes the mail later (4xx)."""
    return observation.security != "none" and observation.outcome == "deferred" and observation.cause not in TLS_CAUSES


def siblings_of(items: Sequence[Seen]) -> dict[tuple[Sender, Address], dict[Address, tuple[int, int]]]:
    """Return the addresses in use of each MX host that has several, by each of them."""
    hosts: dict[Hashable, set[tuple[Sender, Address]]] = defaultdict(set)
    for sender, address in {(item.observation.sender, item.observation.address) for item in items}:
        hosts[sender, address.host, address.port].add((sender, address))
    several = {key: host for host, keys in hosts.items() if len(keys) > 1 for key in keys if key[1].host}
    if not several:
        return {}
    met: dict[Hashable, dict[Hashable, Seen]] = defaultdict(dict)
    for item in items:
        found = item.observation
        if item.standing is not Standing.SILENT and (host := several.get((found.sender, found.address))):
            day = found.address, found.first // _DAY
            met[host][day] = _together(met[host][day], item) if day in met[host] else item
    used = {host: spans(tuple(days.values())) for host, days in met.items()}
    return {key: used[host] for key, host in several.items() if host in used}


def spans(items: Sequence[Seen]) -> dict[Address, tuple[int, int]]:
    """Return when each address that is in use was first and last seen."""
    found: dict[Address, tuple[int, int]] = {}
    still = in_use(items)
    for observation, _ in items:
        if observation.address in still:
            first, last = found.get(observation.address, (observation.first, observation.last))
            found[observation.address] = min(first, observation.first), max(last, observation.last)
    return found


def _together(one: Seen, other: Seen) -> Seen:
    """Return the attempts of two observations of an address as one; only how many and when still tells something."""
    a, b = one.observation, other.observation
    first, last = min(a.first, b.first), max(a.last, b.last)
    attempts, connections = a.attempts + b.attempts, a.connections + b.connections
    return one._replace(observation=a._replace(attempts=attempts, connections=connections, first=first, last=last))
