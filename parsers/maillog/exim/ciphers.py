"""
Whose cipher a line shows.

Not every X= is the session's own.

*Of another connection.* Since 4.90 a process that has handed a TLS connection on to its TLS proxy, or that was given
one, writes that connection's cipher on all lines that have none, also on those of a mail that went to another host in
clear (``deliver.c:do_remote_deliveries``, "else if (continue_proxy_cipher)"; seen with 4.96 and 4.100.1, there also in
further messages on a connection without TLS). Such a cipher comes without DN=. So a line of a new connection that lacks
the name shows no session, and where names are logged it shows that the host takes mail in clear; one of a kept
connection is believed of a host that did TLS and was not lately seen, or seemed, to take mail in clear.

*Of the host before.* Where a host did TLS and then put a recipient off, and the mail is left to one of
``fallback_hosts``, all versions write the first one's X=, CV= and DN= on the line of the other one if that took the
mail in clear (``deliver.c:par_read_pipe`` overwrites them only with what a session has; seen with 4.96). No line tells
that it was so. But such a host takes mail in clear whenever the others were down, and shows certificates of strangers.

*Of the session before.* Where a host breaks off after the handshake, as one does that wants a client certificate, it
gets the mail in clear on a second connection. With cutthrough the line has the first one's X= and DN= all the same
(``verify.c:do_callout``, "callout unencrypted to"; seen with 4.96 and 4.100.1).
"""

from collections.abc import Callable
from datetime import datetime

from maillog.exim.known_hosts import KnownHosts
from maillog.exim.runs import Held, Said
from maillog.exim.sessions import PROXIED_FIRST, Version
from maillog.model import Authentication, Delivery, Evidence, JsonValue, Security
from maillog.tls_logging import UNKNOWN

_GOOD = frozenset({Authentication.TRUSTED, Authentication.VERIFIED, Authentication.DANE})
NAMES_ENOUGH = 20
"""So many lines with DN= show that the selector ``tls_peerdn`` is on."""


class Ciphers:
    """What is known of one Exim that helps to tell."""

    def __init__(self) -> None:
        self._hosts = KnownHosts()
        self._names = 0
        """Deliveries with DN=, up to NAMES_ENOUGH: then lines without it have no session of their own."""
        self._before_proxies = False

    def begin(self, version: Version | None) -> None:
        """Begin a new period, in which settings may be others; ``version``: of Exim, if it is known."""
        self._names = 0
        self._before_proxies = version is not None and version < PROXIED_FIRST

    def heard(self, said: Said, time: datetime, own: Callable[[], bool], *, undisturbed: bool) -> None:
        """
        Note a line, other than of cutthrough, before its message is judged.

        ``own``: see :meth:`judged`, as far as it is known; ``undisturbed``: see :meth:`surely`.

        That may be long after mail that followed over the same connection was, where it has further recipients.
        """
        route, ip = said.route, said.relay.ip or ""
        if said.tls.security is Security.PLAINTEXT:
            self._hosts.seems_clear(ip, time)
        elif route.cipher_logged and not (route.named or route.continued or self._before_proxies):
            # What opens a connection is told by the name, by its good certificate, or by there being no other one.
            if not (undisturbed and _good_certificate(said)) and (self._names > 0 or not own()):
                self._hosts.seems_clear(ip, time)
        elif route.named and route.cipher_logged:
            self._names = min(self._names + 1, NAMES_ENOUGH)
            if route.stranger is None:
                self._hosts.was_encrypted(ip, time)

    def was_clear(self, delivery: Delivery) -> None:
        """Note a line without any sign of TLS."""
        self._hosts.was_clear(delivery.relay.ip or "", delivery.time)

    def seems_clear(self, ip: str, time: datetime) -> None:
        """Note that a host is about to get mail in clear."""
        self._hosts.seems_clear(ip, time)

    def was_left(self, ip: str, time: datetime) -> None:
        """Note that a callout or cutthrough went on in clear with a host, after TLS with it had failed."""
        self._hosts.was_left(ip, time)

    def surely(self, said: Said, time: datetime, *, undisturbed: bool) -> bool:
        """
        Tell whether the only line, or the like lines, of a message to one host show the state of their own session.

        Where names are logged, only the cipher of another connection comes without one, or that of a server whose
        certificate has no subject. ``undisturbed``: no host is said to have failed for the message.
        """
        route = said.route
        if said.tls.security is not Security.ENCRYPTED:
            return True
        if self._of_host_before(said, time):
            return False
        if route.named or self._before_proxies or (undisturbed and _good_certificate(said)):
            return True
        return not route.continued and self._names < NAMES_ENOUGH

    def seen(self, said: Said, time: datetime) -> None:
        """Note what a line said that can be believed."""
        if said.tls.security is Security.ENCRYPTED:
            self._hosts.was_encrypted(said.relay.ip or "", time)
            self._showed(said, time)

    def judged(self, delivery: Delivery, held: Held, *, own: bool, undisturbed: bool) -> Delivery:
        """
        Return a delivery whose line has X=.

        ``own``: no process can have had another connection's at hand; ``undisturbed``: see :meth:`surely`.
        """
        said, ip = held.said, delivery.relay.ip or ""
        if held.cut_through and self._hosts.is_left(ip, delivery.time):
            return delivery._replace(tls=UNKNOWN)
        alone = held.cut_through or said.route.named or self._before_proxies or own
        alone = alone or (undisturbed and _good_certificate(said))
        if alone and (held.cut_through or self.surely(said, delivery.time, undisturbed=undisturbed)):
            self.seen(said, delivery.time)
            return delivery
        # The cipher of a connection of its own may be another one's, whatever the host did otherwise.
        known = said.route.continued and self._hosts.is_encrypted(ip, delivery.time)
        known = known and not self._of_host_before(said, delivery.time)
        if not (alone or said.route.continued):
            self._hosts.seems_clear(ip, delivery.time)
        self._showed(said, delivery.time)
        if not known:
            return delivery._replace(tls=UNKNOWN)
        return delivery._replace(tls=delivery.tls._replace(evidence=Evidence.INFERRED))

    def _of_host_before(self, said: Said, time: datetime) -> bool:
        route = said.route
        if route.named and route.stranger is None:
            return False
        return self._hosts.stands_in(said.relay.ip or "", route.stranger, time)

    def _showed(self, said: Said, time: datetime) -> None:
        if said.route.stranger is not None:
            self._hosts.showed(said.relay.ip or "", said.route.stranger, time)

    def carry(self) -> JsonValue:
        """Return the state as JSON."""
        return {"names": self._names, "hosts": self._hosts.carry()}

    def restore(self, state: JsonValue, version: Version | None) -> None:
        """Put back what :meth:`carry` gave; raises the errors of a wrong shape."""
        self.begin(version)
        self._names = state.get("names", 0)  # older states have neither
        self._hosts.restore(state.get("hosts", ({}, {})))


def _good_certificate(said: Said) -> bool:
    """Tell whether a line of a new connection shows that the certificate was checked and found good."""
    return said.tls.authentication in _GOOD and not said.route.continued
