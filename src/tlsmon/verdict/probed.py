"""
What probes add to the log, and what they cannot (docs/model.md, "Probes").

A look is a single observation, from one place, with the authorities known there. So it decides nothing that the log
has decided: it tells names and DNS where the log shows everything else, and it takes ``safe`` back where it finds an MX
host that the log knows nothing good of. It never makes a verdict of ``loses`` or ``delays`` better.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from tlsmon.evidence.looks import Look, LookedAt, Looks
from tlsmon.evidence.model import Address, Observation, Sender, SenderFacts, Standing
from tlsmon.verdict.fates import Seen
from tlsmon.verdict.model import Judgement, Probed, Verdict
from tlsmon.verdict.words import day

_NAMED: Final = frozenset({"verify", "secure"})
_NO_ROUTE: Final = {
    "null": "the domain takes no mail (null MX)",
    "missing": "the domain has neither an MX record nor an address",
}
_FAILS: Final = {
    "not_offered": "does not offer STARTTLS",
    "refused": "refuses STARTTLS",
    "broken": "fails in the TLS handshake",
}
_MICROSECONDS: Final = 1_000_000


class _Opinions:
    """What the looks say of addresses at a level."""

    def __init__(self, looks: Looks, level: str) -> None:
        self._looks, self._level = looks, level
        self._known: dict[tuple[str, Address], str] = {}

    def of(self, domain: str, address: Address) -> str:
        """Return ``yes``, ``no`` or ``unknown``; for ``verify`` whoever's mail it is, as the name is the host's."""
        key = ("" if self._level == "verify" else domain, address)
        if key not in self._known:
            self._known[key] = _opinion(self._looks, self._level, *key)
        return self._known[key]


def told(
    seen: Iterable[Seen], level: str, looks: Looks, facts: Mapping[Sender, SenderFacts], *, sender_validates: bool
) -> list[Seen]:
    """
    Return what was seen, with sessions decided of which only the names, or what DNS says, were open.

    Of a session that Postfix logged as ``Trusted`` only the name is open: a look tells it. For ``dane-only`` the sender
    must be known to use DANE, by its log or because ``sender_validates``.
    """
    opinions = _Opinions(looks, level)

    def decided(item: Seen) -> Seen:
        observation = item.observation
        if item.standing is not Standing.OPEN or not _is_open_to_looks(observation, level):
            return item
        said = opinions.of(observation.domain, observation.address)
        validates = sender_validates or facts[observation.sender].uses_dane
        if said == "yes" and (level in _NAMED or (validates and observation.sender.mta == "postfix")):
            return item._replace(standing=Standing.GOOD)
        return item._replace(standing=Standing.BAD) if said == "no" else item

    return [decided(item) for item in seen]


def _is_open_to_looks(observation: Observation, level: str) -> bool:
    if observation.security != "encrypted":
        return False
    if level in _NAMED:
        return observation.sender.mta == "postfix" and observation.authentication == "trusted"
    return level == "dane-only"


def _opinion(looks: Looks, level: str, domain: str, address: Address) -> str:
    """Return what the looks say of an address together: ``yes`` only where all that tell anything do."""
    relevant = looks.by_domain.get(domain, ()) if domain else looks.by_host.get(address.host, ())
    every = [_of_one(_looked_at(look, address), level, looks.moment) for look in relevant]
    telling = [each for each in every if each != "unknown"]
    if telling and telling[-1] == "no":
        return "no"
    return "yes" if telling and set(telling) == {"yes"} else "unknown"


def _looked_at(look: Look, address: Address) -> list[LookedAt]:
    """Return the address as a look found it; all of its host where DNS gave other ones then."""
    every = look.hosts().get(address.host, [])
    return [each for each in every if each.ip == address.ip] or every


def _of_one(addresses: Sequence[LookedAt], level: str, moment: datetime) -> str:
    """Return what one look says: ``no`` only for a fault that the log of an encrypted session cannot show."""
    answers = {each.answers[level] for each in addresses}
    if answers == {"yes"}:
        expired = any(each.not_after is not None and each.not_after <= moment for each in addresses)
        return "unknown" if expired and level in _NAMED else "yes"
    if answers == {"no"} and all(_is_of_names(each, level) for each in addresses):
        return "no"
    return "unknown"


def _is_of_names(address: LookedAt, level: str) -> bool:
    # Where the authorities known here say no and those of the sender said yes, there is a disagreement, no answer.
    return address.ending == "encrypted" and (address.trust == "trusted" or level not in _NAMED)


def reviewed(judgements: Iterable[Judgement], seen: Iterable[Seen], level: str, looks: Looks) -> list[Judgement]:
    """Return the judgements with what the last look at each domain found; ``safe`` is taken back where it must be."""
    domains: dict[str, list[Seen]] = defaultdict(list)
    for item in seen:
        if item.observation.domain in looks.by_domain:
            domains[item.observation.domain].append(item)
    return [_reviewed(item, domains[item.domain], level, looks) for item in judgements]


def _reviewed(item: Judgement, seen: Sequence[Seen], level: str, looks: Looks) -> Judgement:
    look = looks.latest(item.domain)
    if look is None:
        return item
    review = _Review(look, level, seen)
    against = list(review.against())
    contrary = _contrary(item, look, level) + review.ways_out(item)
    noted = [each.words for each in against] + contrary
    date = day(int(look.time.timestamp() * _MICROSECONDS))
    disagrees = item.mails > 0 and (bool(contrary) or any(each.disagrees for each in against))
    probed = Probed(look.time, look.vantage, look.answers[level], disagrees, tuple(noted))
    if item.verdict is Verdict.SAFE and against:
        reasons = (*(f"probe of {date}: {words}" for words in noted), *item.reasons)
        return item._replace(verdict=Verdict.UNPROVEN, reasons=reasons, probed=probed)
    agreed = [f"probe of {date}: every MX host passes"] if look.answers[level] == "yes" and not noted else []
    return item._replace(
        reasons=(*item.reasons, *(f"probe of {date}: {words}" for words in noted), *agreed), probed=probed
    )


def _contrary(item: Judgement, look: Look, level: str) -> list[str]:
    if look.answers[level] != "yes" or item.verdict not in (Verdict.LOSES, Verdict.DELAYS):
        return []
    return ["every MX host passes now, but the log has seen failures; only mail that passes can undo that"]


class _Finding(NamedTuple):
    """Something that speaks against ``safe``."""

    words: str
    disagrees: bool = False
    """The log says otherwise, and not later."""


class _Met(NamedTuple):
    """What the log knows of a host, or of one of its addresses."""

    good: int | None = None
    """The last session that the level accepts; microseconds since 1970."""
    bad: bool = False

    def also(self, item: Seen) -> "_Met":
        """Return the same with one more observation."""
        if item.standing is Standing.GOOD:
            return self._replace(good=max(self.good or 0, item.observation.last))
        return self._replace(bad=self.bad or item.standing is Standing.BAD)


class _Review:
    """One look against what the log saw of a domain."""

    def __init__(self, look: Look, level: str, seen: Iterable[Seen]) -> None:
        self._look, self._level = look, level
        self._time = int(look.time.timestamp() * _MICROSECONDS)
        self._met: dict[tuple[str, str | None], _Met] = {}
        """By host and address; without address: the host as a whole."""
        for item in seen:
            address = item.observation.address
            if item.standing is not Standing.SILENT:
                for key in {(address.host, address.ip), (address.host, None)}:
                    self._met[key] = self._met.get(key, _Met()).also(item)

    def against(self) -> Iterator[_Finding]:
        """Yield what speaks against ``safe``."""
        look = self._look
        if look.route in _NO_ROUTE:
            yield _Finding(_NO_ROUTE[look.route], disagrees=True)
            return
        hosts = look.hosts()
        for host, addresses in hosts.items():
            known = (host, None) in self._met
            yield from self._known(host, addresses) if known else self._new(host, addresses)
        if look.hosts_left_out:
            yield _Finding(f"{look.hosts_left_out} further MX hosts were not looked at")
        good = {host for (host, ip), met in self._met.items() if ip is None and met.good is not None}
        if good and not good & hosts.keys():
            names = ", ".join(sorted(good))
            yield _Finding(f"no MX host took mail in the log, {names} did: the domain may have moved", disagrees=True)

    def ways_out(self, item: Judgement) -> list[str]:
        """Name hosts that pass and took no mail in the log, where it says that mail would be lost at the others."""
        if item.verdict is not Verdict.LOSES or self._look.answers[self._level] != "some":
            return []
        passing = [
            f"{host} (MX {addresses[0].preference})"
            for host, addresses in self._look.hosts().items()
            if (host, None) not in self._met and {each.answers[self._level] for each in addresses} == {"yes"}
        ]
        names = ", ".join(passing)
        return [f"{names} passes and took no mail in the log: what the others lose may go there"] if passing else []

    def _new(self, host: str, addresses: Sequence[LookedAt]) -> Iterator[_Finding]:
        """Yield what is wrong with a host that took no mail in the log: a backup, or one that is new."""
        answers = {each.answers[self._level] for each in addresses}
        if answers == {"yes"}:
            return
        name = f"{host} (MX {addresses[0].preference}) took no mail in the log and"
        if "no" in answers:
            yield _Finding(f"{name} {_fault(addresses, self._level)}")
        else:
            yield _Finding(f"{name} could not be tested")

    def _known(self, host: str, addresses: Sequence[LookedAt]) -> Iterator[_Finding]:
        """Yield what is wrong with addresses of which the log knows nothing bad, and nothing good since the look."""
        whole = self._met[host, None]
        failing = [each for each in addresses if each.answers[self._level] == "no"]
        news = [each for each in failing if self._is_news(each, self._met.get((host, each.ip)))]
        if news:
            since = f", and took mail well on {day(whole.good)}" if whole.good else ""
            yield _Finding(f"{host} {_fault(addresses, self._level)}{since}", disagrees=True)

    def _is_news(self, address: LookedAt, met: _Met | None) -> bool:
        if met is None:
            return True
        if met.good is not None and met.good > self._time:
            return False
        # Clear text in the log does not tell that STARTTLS was refused; Postfix then returns the mail at once on a 5xx
        # reply and leaves the other hosts untried (smtp_proto.c:smtp_start_tls).
        return not met.bad or address.ending == "refused"


def _fault(addresses: Sequence[LookedAt], level: str) -> str:
    fails = [each for each in addresses if each.answers[level] == "no"]
    plain = next((_FAILS[each.ending] for each in fails if each.ending in _FAILS), None)
    some = "" if len(fails) == len(addresses) else f" at {len(fails)} of {len(addresses)} addresses"
    return f"{plain or f'would be refused at {level}'}{some}"
