"""
What each rung asks, of every address of every MX host: would mail pass, and what is in its way? Pure.

The conditions are Postfix's for its levels (``tls/tls_client.c``, ``smtp/smtp_tls_policy.c``) and RFC 8461's for
MTA-STS. Only a condition that was seen to hold counts: a yes needs every address that a sender may choose.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from tlsmon.probe.certificate import Cover, covers, covers_below
from tlsmon.probe.dane import Match, compare
from tlsmon.probe.model import (
    AddressResult,
    Answer,
    Certificate,
    Dnssec,
    DomainResult,
    Ending,
    HostResult,
    MxKind,
    Offer,
    Passage,
    Rung,
    StsMode,
    Trust,
    Why,
)
from tlsmon.probe.mta_sts import allows

_OLD: Final = {"SSLv3", "TLSv1", "TLSv1.1"}
_UNTOLD: Final = {Ending.UNTOLD, Ending.INJECTED}
_NO_MAIL: Final = {
    MxKind.NULL: "takes no mail (null MX)",
    MxKind.MISSING: "has neither an MX record nor an address",
}
_TRUST: Final = {
    Trust.SELF_SIGNED: "the certificate is self-signed",
    Trust.PRIVATE: "the certificate is from an authority that is not known here",
    Trust.UNKNOWN_ISSUER: "the issuer of the certificate is neither sent nor known: an intermediate is missing, "
    "or the authority is private",
    Trust.EXPIRED: "a certificate has expired",
    Trust.NOT_YET_VALID: "a certificate is not valid yet",
    Trust.NO_CERTIFICATE: "the server sends no certificate",
}
_DNSSEC: Final = {
    Dnssec.INSECURE: (Answer.NO, "not signed with DNSSEC"),
    Dnssec.BOGUS: (Answer.NO, "signed with DNSSEC, and the signature is broken"),
    Dnssec.UNKNOWN: (Answer.UNKNOWN, "of unknown DNSSEC status"),
}


class _Found(NamedTuple):
    """The answer for one address or one condition."""

    answer: Answer
    words: str = ""


_YES: Final = _Found(Answer.YES)


def judge(result: DomainResult) -> DomainResult:
    """Return the result with the answers for each rung, of its hosts and its own."""
    hosts = tuple(replace(host, passages=tuple(_host(rung, host, result) for rung in Rung)) for host in result.hosts)
    passages = tuple(_domain(rung, replace(result, hosts=hosts)) for rung in Rung)
    return replace(result, hosts=hosts, passages=passages)


def combined(answers: Iterable[Answer]) -> Answer:
    """
    Return the answer of several hosts or addresses together; unknown where there are none.

    >>> combined([Answer.YES, Answer.NO]), combined([Answer.YES, Answer.UNKNOWN])
    (<Answer.SOME: 'some'>, <Answer.UNKNOWN: 'unknown'>)
    """
    found = set(answers)
    if len(found) == 1:
        return found.pop()
    if Answer.SOME in found or {Answer.YES, Answer.NO} <= found:
        return Answer.SOME
    return Answer.UNKNOWN


def _domain(rung: Rung, result: DomainResult) -> Passage:
    route = result.route
    if not result.hosts:
        trouble = route.trouble.words if route.trouble else "names no MX host"
        return Passage(rung, Answer.UNKNOWN, (f"{result.domain} {_NO_MAIL.get(route.kind, trouble)}",))
    passages = [host.passages[list(Rung).index(rung)] for host in result.hosts if counts(host)]
    answer = combined(passage.answer for passage in passages)
    # A fault of the domain is the same for each host, and is said once.
    blocks = list(dict.fromkeys(block for passage in passages for block in passage.blocks))
    if not passages:
        blocks.append(f"no MX host of {result.domain} has an address")
    if route.left_out:
        answer = _at_best_unknown(answer)
        blocks.append(f"{route.left_out} further MX hosts were not looked at")
    return Passage(rung, answer, tuple(blocks))


def counts(host: HostResult) -> bool:
    """Return whether mail could go to a host: one that has no address takes none, whatever is demanded."""
    return bool(host.reached) or host.addresses.trouble is not None


def address_answers(host: HostResult, result: DomainResult) -> list[tuple[AddressResult, dict[Rung, Answer]]]:
    """Return the answers for each address of an MX host; those that this machine has no way to are left out."""
    ahead = {rung: _AHEAD.get(rung, _nothing_ahead)(host, result).answer for rung in Rung}

    def answer(rung: Rung, address: AddressResult) -> Answer:
        return ahead[rung] if ahead[rung] is not Answer.YES else _ADDRESS[rung](address, host, result).answer

    return [(address, {rung: answer(rung, address) for rung in Rung}) for address in _asked(host.reached)]


def _host(rung: Rung, host: HostResult, result: DomainResult) -> Passage:
    ahead = _AHEAD.get(rung, _nothing_ahead)(host, result)
    if ahead.answer is not Answer.YES:
        return Passage(rung, ahead.answer, (ahead.words,))
    found = [(each, _ADDRESS[rung](each, host, result)) for each in _asked(host.reached)]
    answer = combined(one.answer for _, one in found)
    blocks = [f"{host.host} [{each.ip}]: {one.words}" for each, one in found if one.answer is not Answer.YES]
    trouble = host.addresses.trouble.words if host.addresses.trouble else None
    if host.addresses.left_out:
        trouble = f"{host.addresses.left_out} further addresses were not looked at"
    if trouble or not found:
        answer = _at_best_unknown(answer)
        blocks.append(f"{host.host}: {trouble or 'has no address'}")
    return Passage(rung, answer, tuple(blocks))


def _asked(reached: Sequence[AddressResult]) -> Sequence[AddressResult]:
    """Leave out what this machine has no way to, as long as something is left."""
    return [each for each in reached if each.plain.why is not Why.SKIPPED] or reached


def _at_best_unknown(answer: Answer) -> Answer:
    return Answer.UNKNOWN if answer in {Answer.YES, Answer.NO} else answer


def _encrypted(offer: Offer) -> _Found:
    if offer.ending is Ending.ENCRYPTED:
        return _YES
    return _Found(Answer.UNKNOWN if offer.ending in _UNTOLD else Answer.NO, offer.words)


def _trusted(offer: Offer) -> _Found:
    """Return whether a sender gets an encrypted session with a certificate that it trusts, whatever its names."""
    reached = _encrypted(offer)
    if reached.answer is not Answer.YES:
        return reached
    if not offer.authenticable:
        return _Found(Answer.NO, f"TLS works {offer.words or 'only without authentication'}")
    if offer.trust is Trust.TRUSTED:
        return _YES
    if offer.trust is Trust.UNTOLD:
        return _Found(Answer.UNKNOWN, offer.trust_words or "it could not be told whether the certificate is trusted")
    return _Found(Answer.NO, _TRUST.get(offer.trust, f"the certificate is not valid: {offer.trust_words}"))


def _with_name(offer: Offer, name: str, rule: Callable[[Certificate, str], Cover]) -> _Found:
    trusted = _trusted(offer)
    if trusted.answer is not Answer.YES:
        return trusted
    if offer.certificate is None:
        return _Found(Answer.UNKNOWN, "the certificate cannot be read")
    cover = rule(offer.certificate, name)
    if cover is Cover.YES:
        return _YES
    if cover is Cover.COMMON_NAME_ONLY:
        return _Found(Answer.UNKNOWN, f"the certificate names {name} only as CN, which not every sender takes")
    if offer.certificate.names_left_out:
        return _Found(Answer.UNKNOWN, "the certificate has more names than a probe reads")
    below = " or a name below it" if rule is covers_below else ""
    return _Found(Answer.NO, f"the certificate does not name {name}{below}")


def _encrypt(address: AddressResult, _host: HostResult, _result: DomainResult) -> _Found:
    found = _encrypted(address.plain)
    if found.answer is Answer.NO and address.named.ending is Ending.ENCRYPTED:
        return _Found(Answer.NO, f"{found.words}; with SNI it works")
    return found


def _verify(address: AddressResult, host: HostResult, _result: DomainResult) -> _Found:
    return _with_name(address.plain, host.host, covers)


def _secure(address: AddressResult, _host: HostResult, result: DomainResult) -> _Found:
    return _with_name(address.plain, result.domain, covers_below)


def _mta_sts(address: AddressResult, host: HostResult, _result: DomainResult) -> _Found:
    if address.named.sni != host.host and address.named.ending is Ending.ENCRYPTED:
        return _Found(Answer.UNKNOWN, "was asked by the name that it is an alias of only")
    if address.named.protocol in _OLD:  # RFC 8461, section 4: TLS 1.2 or newer
        return _Found(Answer.NO, f"speaks {address.named.protocol} at best")
    return _with_name(address.named, host.host, covers)


def _dane(address: AddressResult, host: HostResult, result: DomainResult) -> _Found:
    offer = address.named
    reached = _encrypted(offer)
    if reached.answer is not Answer.YES:
        return reached
    if not offer.authenticable:
        return _Found(Answer.NO, f"TLS works {offer.words or 'only without authentication'}")
    # After a secure MX lookup the next hop is a name too: RFC 7672, section 3.2.2.
    names = [name for name in (host.tlsa.base, result.domain, result.route.alias) if name]
    found = compare(host.tlsa.records, offer.chain, names, offer.time, offer.chain_whole)
    if found.match is Match.MATCHES:
        return _YES
    seen = offer.chain_whole or found.match is Match.UNUSABLE
    return _Found(Answer.NO if seen else Answer.UNKNOWN, found.words)


def _nothing_ahead(_host: HostResult, _result: DomainResult) -> _Found:
    return _YES


def _ahead_of_dane(host: HostResult, result: DomainResult) -> _Found:
    """Return whether DNS has what DANE needs (RFC 7672, sections 2.2.1 to 2.2.3)."""
    if result.route.kind is MxKind.LITERAL:
        return _Found(Answer.NO, "there is no DANE for an address literal")
    if result.resolver_validates is not True:
        return _Found(Answer.UNKNOWN, "the resolver does not validate DNSSEC, so nothing can be said of DANE")
    if result.route.dnssec is not Dnssec.SECURE:
        answer, words = _DNSSEC[result.route.dnssec]
        return _Found(answer, f"the MX records of {result.domain} are {words}")
    if host.addresses.dnssec is Dnssec.BOGUS or (not host.tlsa.base and host.addresses.dnssec is not Dnssec.SECURE):
        answer, words = _DNSSEC[host.addresses.dnssec]
        return _Found(answer, f"the addresses of {host.host} are {words}")
    return _tlsa(host)


def _tlsa(host: HostResult) -> _Found:
    tlsa = host.tlsa
    if tlsa.dnssec is Dnssec.BOGUS:
        return _Found(Answer.NO, f"the TLSA records of {host.host} are {_DNSSEC[Dnssec.BOGUS][1]}")
    if tlsa.trouble:
        return _Found(Answer.UNKNOWN, f"{host.host}: {tlsa.trouble.words}")
    if not tlsa.records:
        return _Found(Answer.NO, f"{host.host} has no TLSA record")
    if tlsa.dnssec is not Dnssec.SECURE:
        answer, words = _DNSSEC[tlsa.dnssec]
        return _Found(answer, f"the TLSA records of {host.host} are {words}")
    return _YES


def _ahead_of_sts(host: HostResult, result: DomainResult) -> _Found:
    sts = result.sts
    if sts.untold:
        return _Found(Answer.UNKNOWN, sts.untold.words)
    if sts.policy is None:
        return _Found(Answer.NO, sts.trouble or f"{result.domain} has no MTA-STS policy")
    if sts.policy.mode is not StsMode.ENFORCE:
        return _Found(Answer.NO, f"the MTA-STS policy of {result.domain} is in mode {sts.policy.mode}")
    if not allows(sts.policy, host.host):
        return _Found(Answer.NO, f"the MTA-STS policy of {result.domain} does not name {host.host}")
    return _YES


_AHEAD: Final = {Rung.DANE_ONLY: _ahead_of_dane, Rung.MTA_STS: _ahead_of_sts}
_ADDRESS: Final = {
    Rung.ENCRYPT: _encrypt,
    Rung.VERIFY: _verify,
    Rung.SECURE: _secure,
    Rung.DANE_ONLY: _dane,
    Rung.MTA_STS: _mta_sts,
}
