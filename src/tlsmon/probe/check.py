"""
Is a domain of one's own in order? The same look as a probe's, with what the owner can do about it.

Two questions: can others demand TLS of this domain, and may the domain demand TLS of others without looking worse
itself?
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tlsmon.probe.dane import associates, usable
from tlsmon.probe.model import Answer, DomainResult, Ending, HostResult, Offer, Rung, Settings, StsMode
from tlsmon.probe.mta_sts import allows
from tlsmon.probe.survey import probe

RENEW_DAYS: Final = 14
MIN_MAX_AGE: Final = 86_400
"""Seconds. RFC 8461, section 3.2, expects weeks or more."""
_OLD: Final = {"TLSv1", "TLSv1.1"}


class Weight(StrEnum):
    """How much a finding matters."""

    FIX = "fix"
    """Mail of senders that demand TLS is or will soon be lost."""
    UNKNOWN = "unknown"
    """Could not be told, so nothing can be promised."""
    ADVICE = "advice"
    """Works, and could be better."""
    GOOD = "good"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found."""

    weight: Weight
    words: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The state of one's own domain."""

    result: DomainResult
    findings: tuple[Finding, ...]
    """The most urgent first."""
    can_be_required: Answer
    """Others may demand a verified certificate, by a trusted chain or by DANE; yes only with nothing to fix."""
    can_require: Answer
    """Every address takes TLS, so the owner offers what he is about to demand."""

    @property
    def ready(self) -> bool:
        """Return whether both are so."""
        return self.can_be_required is Answer.YES and self.can_require is Answer.YES

    @property
    def summary(self) -> str:
        """Return the plain result."""
        domain = self.result.domain
        if self.ready:
            return f"{domain} is ready: others can require TLS of it, and it can require TLS of others."
        first = next((found.words for found in self.findings if found.weight in {Weight.FIX, Weight.UNKNOWN}), "")
        if self.can_require is Answer.YES:
            return f"{domain} can require TLS of others; before others can rely on it, first: {first}."
        return f"{domain} is not ready; first: {first}."


def check(domain: str, settings: Settings | None = None) -> CheckResult:
    """Return the state of one's own domain. Raises as :func:`probe` does."""
    return assess(next(probe([domain], settings)))


def assess(result: DomainResult) -> CheckResult:
    """Return what the result of a probe means for the owner. Pure."""
    found = [*_rungs(result), *_sts(result), *_tlsrpt(result)]
    for host in result.hosts:
        found += [*_certificates(host), *_protocols(host), *_rollover(host)]
    order = list(Weight)
    findings = tuple(sorted(dict.fromkeys(found), key=lambda one: order.index(one.weight)))
    verified = {result.passage(Rung.VERIFY).answer, result.passage(Rung.DANE_ONLY).answer}
    required = Answer.YES if Answer.YES in verified else result.passage(Rung.VERIFY).answer
    if required is Answer.YES and any(one.weight is Weight.FIX for one in findings):
        required = Answer.NO
    return CheckResult(result, findings, required, result.passage(Rung.ENCRYPT).answer)


def _rungs(result: DomainResult) -> Iterator[Finding]:
    dane = result.passage(Rung.DANE_ONLY)
    has_tlsa = any(host.tlsa.records for host in result.hosts)
    for rung in (Rung.ENCRYPT, Rung.VERIFY):
        passage = result.passage(rung)
        # With DANE the certificate may be of any authority: then verify is advice.
        weight = Weight.UNKNOWN if passage.answer is Answer.UNKNOWN else Weight.FIX
        if rung is Rung.VERIFY and dane.answer is Answer.YES:
            weight = Weight.ADVICE
        yield from (Finding(weight, block) for block in passage.blocks)
        if passage.answer is Answer.YES:
            yield Finding(Weight.GOOD, f"every address passes at level {rung}")
    if has_tlsa:
        weight = Weight.UNKNOWN if dane.answer is Answer.UNKNOWN else Weight.FIX
        yield from (Finding(weight, block) for block in dane.blocks)
    else:
        yield from (Finding(Weight.ADVICE, f"no DANE: {block}") for block in dane.blocks)


def _offers(host: HostResult) -> list[Offer]:
    both = [offer for address in host.reached for offer in (address.plain, address.named)]
    return [offer for offer in both if offer.ending is Ending.ENCRYPTED]


def _certificates(host: HostResult) -> Iterator[Finding]:
    seen = {offer.certificate.fingerprint: offer for offer in _offers(host) if offer.certificate}
    if len(seen) > 1:
        yield Finding(Weight.ADVICE, f"{host.host} shows {len(seen)} different certificates, by address or by SNI")
    for offer in seen.values():
        if offer.certificate is None:
            continue
        days = (offer.certificate.not_after - offer.time).days
        if days < RENEW_DAYS:
            state = "has expired" if days < 0 else f"expires in {days} days"
            yield Finding(Weight.FIX, f"a certificate of {host.host} {state}")


def _protocols(host: HostResult) -> Iterator[Finding]:
    for protocol in sorted({offer.protocol for offer in _offers(host) if offer.protocol in _OLD}):
        yield Finding(Weight.FIX, f"{host.host} speaks {protocol} at best; many senders demand TLSv1.2")


def _rollover(host: HostResult) -> Iterator[Finding]:
    """Say whether there is a TLSA record for the next certificate already (RFC 7671, section 8.1)."""
    fit = [record for record in host.tlsa.records if usable(record)]
    chain = next((offer.chain for offer in _offers(host) if offer.chain), ())
    if not fit or not chain:
        return
    idle = [record for record in fit if not any(associates(record, der) for der in chain)]
    if idle and len(idle) < len(fit):
        yield Finding(Weight.GOOD, f"{host.host} has a TLSA record beside the one in use: ready for a new certificate")
    elif not idle:
        yield Finding(
            Weight.ADVICE,
            f"{host.host} has TLSA records for the present certificate only: publish the next one's before it is used",
        )


def _sts(result: DomainResult) -> Iterator[Finding]:
    sts = result.sts
    if sts.untold:
        yield Finding(Weight.UNKNOWN, sts.untold.words)
    elif sts.trouble:
        yield Finding(Weight.FIX, sts.trouble)
    elif sts.policy is None:
        yield Finding(Weight.ADVICE, "no MTA-STS policy: senders without DANE cannot know that TLS may be demanded")
    else:
        yield from _policy(result)


def _policy(result: DomainResult) -> Iterator[Finding]:
    policy, passage = result.sts.policy, result.passage(Rung.MTA_STS)
    if policy is None:
        return
    hosts = [host.host for host in result.hosts]
    if policy.mode is StsMode.ENFORCE:
        weight = Weight.UNKNOWN if passage.answer is Answer.UNKNOWN else Weight.FIX
        yield from (Finding(weight, block) for block in passage.blocks)
    else:
        yield Finding(Weight.ADVICE, f"the MTA-STS policy is in mode {policy.mode}: it protects nothing yet")
        missing = [host for host in hosts if policy.mode is StsMode.TESTING and not allows(policy, host)]
        yield from (Finding(Weight.FIX, f"the MTA-STS policy does not name {host}") for host in missing)
    if policy.max_age < MIN_MAX_AGE:
        yield Finding(Weight.ADVICE, "the max_age of the MTA-STS policy is below a day: it is forgotten too soon")
    for pattern in policy.mx:
        if not any(allows(type(policy)(policy.mode, policy.max_age, (pattern,)), host) for host in hosts):
            yield Finding(Weight.ADVICE, f"the MTA-STS policy names {pattern}, which is no MX host now")


def _tlsrpt(result: DomainResult) -> Iterator[Finding]:
    tlsrpt = result.tlsrpt
    if tlsrpt.untold:
        yield Finding(Weight.UNKNOWN, tlsrpt.untold.words)
    elif tlsrpt.trouble:
        yield Finding(Weight.FIX, tlsrpt.trouble)
    elif not tlsrpt.destinations:
        yield Finding(Weight.ADVICE, "no TLSRPT record: failures of senders are not reported")
    else:
        yield Finding(Weight.GOOD, f"TLS reports go to {', '.join(tlsrpt.destinations)}")
