"""
One attempt -> what its own line says of the session.

Whether the CV= of the line can be believed where other lines of the message speak against it is for ``deliveries``.
"""

from functools import lru_cache

from maillog.exim.events import Attempt, Flag, Route
from maillog.exim.grammar import Phase
from maillog.model import Authentication, Evidence, Outcome, Relay, Scope, Security, Tls

Version = tuple[int, int]
_CHAIN_ONLY = (4, 85)
"""The last version whose CV=yes says nothing about the name (``tls_verify_cert_hostnames`` came with 4.86)."""
PROXIED_FIRST, _PROXIED_LAST = (4, 90), (4, 98)
WITHIN_FIRST = (4, 98)
"""Since then one connection of a message may show the cipher of another one, see ``runs.own_cipher``."""

_NO_SESSION = Tls(Security.NONE)
_NOT_TOLD = Tls(Security.UNKNOWN)
_CLEAR = Tls(Security.PLAINTEXT, None, Evidence.CORRELATED)


def relay_of(event: Attempt) -> Relay:
    """Return the relay; what was delivered without a host stayed on this machine."""
    relay = event.route.relay
    if event.outcome is Outcome.SENT and relay.ip is None:
        return relay._replace(scope=Scope.LOCAL)
    return relay


def tls_of(event: Attempt, version: Version | None) -> Tls:
    """Return what the line says about TLS, plaintext where a selector that is on would have said more."""
    route, reason = event.route, event.reason
    if route.relay.scope is Scope.LOCAL or (reason is None and route.relay.ip is None):
        return _NO_SESSION
    if route.encrypted:
        return _encrypted(route.protocol, route.cipher, _authentication(event.flag, route, version))
    if reason is None:
        return _CLEAR
    # Until 4.84 a deferral named no host, yet its text tells of a session.
    session = reason.phase is Phase.MAIL or (reason.phase is Phase.UNCLEAR and route.relay.ip is not None)
    return _NOT_TOLD if session else _NO_SESSION


@lru_cache(maxsize=4096)
def _encrypted(protocol: str | None, cipher: str | None, authentication: Authentication | None) -> Tls:
    """Return one object for each distinct session."""
    return Tls(Security.ENCRYPTED, authentication, Evidence.STATED, protocol, cipher)


def _authentication(flag: Flag, route: Route, version: Version | None) -> Authentication | None:
    """
    Return what CV= means, None where Exim did not know what it wrote.

    Cutthrough never sets the flag (``verify.c:cutthrough_finaldot``). From 4.90 to 4.98 a connection that is continued
    through the TLS proxy process says ``CV=no`` whatever was verified (mended in 4.99 by CTF_CV in ``smtp.c``).
    """
    if flag is Flag.CUT_THROUGH:
        return None
    match route.verified:
        case "dane":
            return Authentication.DANE
        case "yes":
            old = version is not None and version <= _CHAIN_ONLY
            return Authentication.TRUSTED if old else Authentication.VERIFIED
        case "no":
            told = version is not None and not PROXIED_FIRST <= version <= _PROXIED_LAST
            return Authentication.UNTRUSTED if told or not route.continued else None
    return None
