"""
What one observation says at a level.

The table of Postfix levels follows ``tls/tls.h`` and ``smtp/smtp_tls_policy.c``; for Exim ``encrypt`` stands for
hosts_require_tls, ``verify`` for that with tls_verify_hosts, ``dane-only`` for hosts_require_dane.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from tlsmon.evidence.model import Observation, Sender, SenderFacts, Standing

TLS_CAUSES: Final = frozenset(
    {"tls_not_offered", "tls_refused", "tls_handshake", "cert_untrusted", "cert_name", "cert_expired", "dane"}
)
"""Causes that lie with the recipient. ``tls_local`` and ``policy`` lie with the sender."""
_CERTIFICATE_CAUSES = frozenset({"cert_untrusted", "cert_name", "cert_expired", "dane"})
_AUTHENTICATED_LEVELS = frozenset({"verify", "secure", "dane-only"})
_PROTOCOLS = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_OPENSSL_LEVEL_1_REFUSES = frozenset({"SSLv2", "SSLv3", "TLSv1", "TLSv1.1"})


def sender_facts(observations: Iterable[Observation]) -> dict[Sender, SenderFacts]:
    """Return what the observations show of each sender's settings."""
    facts: dict[Sender, SenderFacts] = {}
    for observation in observations:
        known = facts.setdefault(observation.sender, SenderFacts())
        if observation.authentication in ("trusted", "verified") and not known.knows_authorities:
            facts[observation.sender] = known._replace(knows_authorities=True)
        elif _dane_in_use(observation) and not known.uses_dane:
            facts[observation.sender] = known._replace(uses_dane=True)
    return facts


def _dane_in_use(observation: Observation) -> bool:
    return observation.authentication == "dane" or observation.level in ("dane", "dane-only", "halfdane")


def with_level_in_force(observations: Sequence[Observation], level: str | None) -> Sequence[Observation]:
    """
    Return the observations with the level that smtp_tls_security_level sets where the log does not state it.

    Postfix says ``Verified`` only where the level in force demanded a match and found one (``tls_client.c``). At
    ``dane`` that is a host with usable TLSA records behind a secure MX record: every other one is held to less, and is
    ``Trusted`` or ``Untrusted``. None: the level is not known, and ``Verified`` proves nothing.
    """
    if level is None:
        return observations
    return [_stated(item, level) if _unstated(item) else item for item in observations]


def _unstated(observation: Observation) -> bool:
    encrypted = observation.security == "encrypted" and observation.authentication is not None
    return encrypted and observation.sender.mta == "postfix" and observation.level is None


def _stated(observation: Observation, level: str) -> Observation:
    if observation.authentication != "verified":
        return observation._replace(level="may") if level == "dane" else observation
    return observation._replace(level=level, authentication="dane" if level == "dane" else "verified")


def standing(observation: Observation, level: str, facts: SenderFacts, oldest_protocol: str) -> Standing:
    """
    Say whether the level would have accepted the session.

    ``oldest_protocol`` is the oldest that the sender's mandatory settings admit (smtp_tls_mandatory_protocols).
    """
    if observation.cause in TLS_CAUSES:
        return _failed(observation, level)
    if observation.security == "plaintext":
        return Standing.BAD
    if observation.security == "unknown":
        return Standing.OPEN
    if observation.security != "encrypted":
        return Standing.SILENT
    if _older(observation.protocol, oldest_protocol):
        return Standing.BAD
    return Standing.GOOD if level == "encrypt" else _authenticated(observation, level, facts)


def _failed(observation: Observation, level: str) -> Standing:
    """Judge an attempt that failed for TLS. A refused certificate is no obstacle where the level asks for none."""
    if observation.cause in _CERTIFICATE_CAUSES and level == "encrypt":
        # Enforced DANE that fails for want of STARTTLS is logged as tls_not_offered; here the handshake was done.
        return Standing.GOOD if observation.cause != "dane" else Standing.SILENT
    return Standing.BAD


def _older(protocol: str | None, oldest: str) -> bool:
    return protocol in _PROTOCOLS and _PROTOCOLS.index(protocol) < _PROTOCOLS.index(oldest)


def _authenticated(observation: Observation, level: str, facts: SenderFacts) -> Standing:
    if observation.authentication == "anonymous":
        return Standing.BAD
    if observation.sender.mta == "postfix" and observation.protocol in _OPENSSL_LEVEL_1_REFUSES:
        return Standing.BAD
    return _dane(observation, facts) if level == "dane-only" else _certificate(observation, level, facts)


def _certificate(observation: Observation, level: str, facts: SenderFacts) -> Standing:
    """
    Judge the certificate for ``verify`` and ``secure``.

    At ``may`` Postfix's "Trusted" is a chain without a look at the name; Exim's CV=yes includes the MX host's name.
    """
    match observation.authentication:
        case "untrusted":
            return Standing.BAD if facts.knows_authorities else Standing.OPEN
        case "verified" if observation.sender.mta == "exim":
            return Standing.GOOD if level == "verify" else Standing.OPEN
        case "verified" if observation.level is not None:
            return Standing.GOOD if observation.level == level else Standing.OPEN
        case "dane" if observation.sender.mta == "exim" and level == "verify":
            return Standing.GOOD  # verify options are ignored while DANE holds (smtp.c:smtp_setup_conn)
    return Standing.OPEN


def _dane(observation: Observation, facts: SenderFacts) -> Standing:
    if observation.authentication == "dane":
        return Standing.GOOD
    if observation.level in ("halfdane", "dane", "dane-only"):
        return Standing.BAD  # an insecure MX record, or TLSA records that are all unusable
    if observation.sender.mta == "exim" and observation.authentication is None:
        return Standing.OPEN
    stated_may = observation.level == "may" or observation.sender.mta == "exim"
    return Standing.BAD if facts.uses_dane and stated_may else Standing.OPEN
