"""Why an attempt failed, where its line alone does not tell."""

from maillog.model import Authentication, Cause, JsonValue, Level
from maillog.postfix.connections import remember
from maillog.postfix.events import Attempt, Peer
from maillog.postfix.sessions import Process

DANE = frozenset({Level.DANE, Level.DANE_ONLY})


class Causes:
    """What lines before tell: of certificates that were refused, and of the process's earlier hosts."""

    def __init__(self) -> None:
        self._refused: dict[tuple[str, int | None], Cause] = {}

    def refused(self, peer: Peer, cause: Cause) -> None:
        """Note why a host's certificate was not accepted; its status line says no more than that it was not."""
        remember(self._refused, (peer.ip, peer.port), cause)

    def of(self, process: Process, attempt: Attempt) -> Cause | None:
        """Return why an attempt failed; None where it did not."""
        reason = attempt.reason
        if reason is None:
            return None
        cause = reason.cause
        if cause is Cause.UNRELATED and attempt.relay.ip is None and process.trouble:
            return process.trouble  # an earlier MX host failed for TLS, the last one was down
        if cause is Cause.CERT_UNTRUSTED:
            return self._of_certificate(process, attempt)
        if cause is Cause.TLS_HANDSHAKE and process.local_fault:
            return Cause.TLS_LOCAL
        return cause

    def _of_certificate(self, process: Process, attempt: Attempt) -> Cause:
        """Say why "Server certificate not verified": the line before tells, or the trust word of the summary."""
        if attempt.tls_status and attempt.tls_status.level in DANE:
            return Cause.DANE
        refused = self._refused.get((attempt.relay.ip or "", attempt.relay.port))
        if refused:
            return refused
        summary = process.session and process.session.summary
        trusted = summary and summary.trust is Authentication.TRUSTED
        return Cause.CERT_NAME if trusted else Cause.CERT_UNTRUSTED

    def carry(self) -> JsonValue:
        """Return the state as JSON."""
        return [[*key, value] for key, value in self._refused.items()]

    def restore(self, state: JsonValue) -> None:
        """Put back what :meth:`carry` gave; raises the errors of a wrong shape."""
        self._refused = {(ip, port): Cause(value) for ip, port, value in state}
