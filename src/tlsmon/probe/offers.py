"""Conversations -> what an address offers, without SNI and with it, in as few connections as tell it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from tlsmon.probe.certificate import read
from tlsmon.probe.model import AddressResult, Ending, Offer, Trust, Why
from tlsmon.probe.starttls import Conversation, Converse, Manner

_SHAKES_HANDS: Final = {Ending.ENCRYPTED, Ending.BROKEN}
_Judged = tuple[Trust, str]


def _now() -> datetime:
    return datetime.now(tz=UTC)


@dataclass(slots=True)
class Asker:
    """
    Asks addresses. For one address by one thread at a time; for different ones by several.

    The connections for an address: one without SNI, one with it; one more where a handshake fails, to see whether a
    sender that authenticates nobody would get through; and one more for each chain that was not met before, for
    OpenSSL's judgement. So a usual host of a provider takes two.
    """

    converse: Converse
    port: int
    back_off: float = 5.0
    """Seconds before the one repeat to an address that was busy."""
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], datetime] = _now
    _judged: dict[tuple[bytes, ...], _Judged] = field(default_factory=dict)
    _plain: dict[str, Offer] = field(default_factory=dict)

    def ask(self, ip: str, name: str | None) -> AddressResult:
        """Return what an address offers without SNI and with ``name`` as SNI; no name for an address literal."""
        if ip not in self._plain:
            self._plain[ip] = self._offer(ip, None)
        plain = self._plain[ip]
        if name is None or plain.ending not in _SHAKES_HANDS:  # SNI comes after STARTTLS, and changes nothing before it
            return AddressResult(ip, self.port, plain, replace(plain, sni=name))
        return AddressResult(ip, self.port, plain, self._offer(ip, name))

    def _offer(self, ip: str, sni: str | None) -> Offer:
        moment = self.clock()
        strict = self._patiently(ip, sni, Manner.AUTHENTICATING)
        if strict.ending is Ending.ENCRYPTED:
            trust, words = self._judge(ip, sni, strict)
            return _offer(moment, sni, strict, trust, words)
        if strict.ending is Ending.BROKEN:
            lax = self._patiently(ip, sni, Manner.OPPORTUNISTIC)
            if lax.ending is Ending.ENCRYPTED:
                weak = f"only without authentication ({strict.words})"
                return replace(_offer(moment, sni, lax, Trust.UNTOLD, ""), authenticable=False, words=weak)
        return _offer(moment, sni, strict, Trust.UNTOLD, "")

    def _judge(self, ip: str, sni: str | None, seen: Conversation) -> _Judged:
        if not seen.chain:
            return Trust.NO_CERTIFICATE, "the server sends no certificate"
        if seen.chain not in self._judged or not seen.chain_whole:
            judged = self._judge_anew(ip, sni, seen)
            if judged[0] is Trust.UNTOLD:
                return judged
            self._judged[seen.chain] = judged
        return self._judged[seen.chain]

    def _judge_anew(self, ip: str, sni: str | None, seen: Conversation) -> _Judged:
        again = self._patiently(ip, sni, Manner.VERIFYING)
        if again.trust is Trust.TRUSTED and again.chain != seen.chain:
            return Trust.UNTOLD, "shows different certificates from one connection to the next"
        if again.trust is Trust.UNTOLD:
            return Trust.UNTOLD, f"the second connection, to verify the certificate, gave no answer: {again.words}"
        return again.trust, again.trust_words

    def _patiently(self, ip: str, sni: str | None, manner: Manner) -> Conversation:
        first = self.converse(ip, sni, manner)
        if first.why is not Why.BUSY:
            return first
        self.sleep(self.back_off)
        return self.converse(ip, sni, manner)


def _offer(moment: datetime, sni: str | None, seen: Conversation, trust: Trust, trust_words: str) -> Offer:
    return Offer(
        time=moment,
        sni=sni,
        ending=seen.ending,
        words=seen.words,
        why=seen.why,
        greet_delay=seen.greet_delay,
        protocol=seen.protocol,
        cipher=seen.cipher,
        authenticable=seen.ending is Ending.ENCRYPTED,
        trust=trust,
        trust_words=trust_words,
        certificate=read(seen.chain[0]) if seen.chain else None,
        chain=seen.chain,
        chain_whole=seen.chain_whole,
    )
