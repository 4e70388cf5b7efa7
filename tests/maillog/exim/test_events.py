"""One line, one event: addresses, hosts, reasons, notes."""

# ruff: noqa: E501, because the lines of a log stay whole

from typing import NamedTuple

import pytest
from tests.maillog.exim.samples import ID, LONG_ID, MX, X13, record

from maillog.exim.events import (
    Arrival,
    Attempt,
    Completed,
    DaemonStarted,
    HostNote,
    Nothing,
    read_event,
)
from maillog.exim.grammar import Phase
from maillog.exim.notes import NoteKind
from maillog.model import Cause, Outcome, Scope

RT = "R=dnslookup T=remote_smtp"


def attempt(text: str) -> Attempt:
    """Return the attempt of a line behind its message id."""
    event = read_event(record(f"{ID} {text}"))
    assert isinstance(event, Attempt), event
    return event


class Recipient(NamedTuple):
    """A delivery line and the domain it went to."""

    text: str
    domain: str | None


RECIPIENTS = {
    "plain": Recipient(f"=> user@Good.Example {RT} {MX} {X13}", "good.example"),
    "alias": Recipient(f"=> final@good.example <top@other.example> {RT} {MX}", "good.example"),
    "all parents": Recipient(f"=> f@good.example (m1@a.example, m2@b.example) <t@o.example> {RT} {MX}", "good.example"),
    "unquoted local part": Recipient(f'-> quo ted@good.example <"quo ted"@good.example> {RT} {MX}', "good.example"),
    "at sign in local part": Recipient(f'=> a@b.example@good.example <"a@b.example"@good.example> {RT} {MX}',
                                       "good.example"),
    "UTF-8 down-converted": Recipient(f"=> xn--ser-goa@good.example <üser@good.example> {RT} {MX}", "good.example"),
    "UTF-8 domain": Recipient(f"=> user@bücher.example {RT} {MX}", "xn--bcher-kva.example"),
    "literal": Recipient(f"=> user@[198.51.100.7] {RT} {MX}", "[198.51.100.7]"),
    "sender on delivery": Recipient(f"=> user@good.example F=<s@x.example> P=<s@x.example> {RT} S=1234 {MX}",
                                    "good.example"),
    "named queue": Recipient(f"=> user@good.example Q=bulk {RT} {MX}", "good.example"),
    "interface in front, 4.86": Recipient(f"=> user@good.example I=[192.0.2.9]:4711 {RT} {MX}", "good.example"),
    "angle brackets in local part": Recipient(f'=> a<b>c@good.example <"a<b>c"@good.example> {RT} {MX}', "good.example"),
    "flag in local part": Recipient(f'=> => x@Good.example <"=> x"@Good.example> {RT} {MX}', "good.example"),
    "arrow for a local part": Recipient(f'=> ->@good.example <"->"@good.example> {RT} {MX}', "good.example"),
    "odd sender": Recipient(f'=> u@good.example F=<"a > b R=x"@x.example> P=<"a \\" > b"@x.example> {RT} {MX} {X13}',
                            "good.example"),
    "pipe character in local part": Recipient(f'=> |x@good.example <"|x"@good.example> {RT} {MX}', "good.example"),
    "local": Recipient("=> joe <joe@home.example> R=local_user T=mail_spool", "home.example"),
    "local with domain": Recipient("=> joe@home.example R=local_user T=mail_spool S=900 QT=1s DT=0s", "home.example"),
    "file": Recipient("=> /var/mail/joe <joe@home.example> R=procmail T=address_file", "home.example"),
    "pipe with anything": Recipient('=> |/bin/x "T=a b <c" <joe@home.example> R=aliases T=address_pipe', "home.example"),
    "black hole": Recipient("=> :blackhole: <joe@home.example> R=aliases", "home.example"),
    "autoreply": Recipient("=> >joe@x.example <joe@home.example> R=vacation T=reply", "home.example"),
    "system filter": Recipient("=> /var/archive/mail <system-filter> T=address_file", None),
    "deferred": Recipient(f"== user@good.example {RT} defer (111): Connection refused", "good.example"),
    "routing deferred": Recipient("== user@good.example routing defer (-51): retry time not reached", "good.example"),
    "held": Recipient("== user@good.example defer (-23): domain is held", "good.example"),
    "expired": Recipient("** user@good.example <top@o.example>: retry timeout exceeded", "good.example"),
    "unroutable": Recipient("** user@good.example: Unrouteable address", "good.example"),
    "unroutable, 4.99": Recipient("** user@good.example : Unrouteable address", "good.example"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "domain"), RECIPIENTS.values(), ids=RECIPIENTS)
def test_recipient_domain(text: str, domain: str | None) -> None:
    """The domain is the one of the final address, whatever the address looks like."""
    assert attempt(text).domain == domain


HOSTS = {
    "name and address": (f"=> u@g.example {RT} H=MX.Good.Example [198.51.100.7]", ("mx.good.example", "198.51.100.7")),
    "DNSSEC": (f"=> u@g.example {RT} H=mx.g.example DS [198.51.100.7] {X13}", ("mx.g.example", "198.51.100.7")),
    "IPv6": (f"=> u@g.example {RT} H=mx.g.example [2001:DB8::1]", ("mx.g.example", "2001:db8::1")),
    "address as name": (f"=> u@g.example {RT} H=2001:db8::1 [2001:db8::1]", ("2001:db8::1", "2001:db8::1")),
    "local host list": ("=> u@g.example R=v T=store H=store.g.example", ("store.g.example", None)),
    "deferred": (f"== u@g.example {RT} defer (-44) {MX}: SMTP error from remote mail server after RCPT TO:<u@g>: 450 x",
                 ("mx.good.example", "198.51.100.7")),
    "deferred with errno": (f"== u@g.example {RT} defer (110): Connection timed out {MX} DT=5m: SMTP timeout after DATA",
                            ("mx.good.example", "198.51.100.7")),
    "deferred, full block": (f"== u@g.example {RT} defer (-46) H=mx.g.example [198.51.100.7]:25* I=[192.0.2.9]:40000 DT=0.113s: SMTP error from remote mail server after end of data: 451 H=x [192.0.2.66]: y",
                             ("mx.g.example", "198.51.100.7")),
    "deferred, no host": (f"== u@g.example {RT} defer (-18): Remote host closed connection H=x [192.0.2.66]: y",
                          (None, None)),
    "failed": (f"** u@g.example {RT} {MX} {X13} CV=yes: SMTP error from remote mail server after DATA: 550 no",
               ("mx.good.example", "198.51.100.7")),
    "failed, 4.99": (f"** u@g.example {RT} {MX} PS=se {X13} : SMTP error from remote mail server after DATA: 550 no",
                     ("mx.good.example", "198.51.100.7")),
    "failed, CV off": (f"** u@g.example {RT} {MX} {X13}: SMTP error from remote mail server after DATA: 550 no",
                       ("mx.good.example", "198.51.100.7")),
    "failed, name with colon": (f'** u@g.example {RT} {MX} {X13} CV=no DN="O=A: B" : SMTP error: x',
                                ("mx.good.example", "198.51.100.7")),
}  # fmt: skip


@pytest.mark.parametrize(("text", "host"), HOSTS.values(), ids=HOSTS)
def test_host(text: str, host: tuple[str | None, str | None]) -> None:
    """The host is the one in Exim's own field, never one in what the remote side said."""
    relay = attempt(text).route.relay
    assert (relay.host, relay.ip) == host


def test_port_and_scope() -> None:
    """``]:465*`` is port and mark of a continued connection; LMTP is local wherever it goes."""
    route = attempt(f"-> u@g.example {RT} H=mx.g.example [198.51.100.7]:465* {X13} CV=no").route
    assert (route.relay.port, route.continued, route.relay.scope) == (465, True, Scope.INTERNET)
    lmtp = attempt('=> u@g.example R=virtual T=dovecot_lmtp H=store [198.51.100.9]:24 C="250 2.0.0 ok"').route
    assert lmtp.relay.scope is Scope.LOCAL
    assert attempt(f"=> u@g.example {RT} H=mx [10.0.0.1]").route.relay.scope is Scope.PRIVATE


REASONS = {
    "handshake": ("== u@g.example {} defer (-37) {}: TLS session: (gnutls_handshake): rxd alert: Internal error",
                  Cause.TLS_HANDSHAKE, Phase.BEFORE_MAIL),
    "our certificate expired": ("== u@g.example {} defer (-37) {}: TLS session: (SSL_connect): error:0A000415:SSL routines::ssl/tls alert certificate expired",
                                Cause.TLS_HANDSHAKE, Phase.BEFORE_MAIL),
    "untrusted": ("== u@g.example {} defer (-37) {}: TLS session: (SSL_connect): error:0A000086:SSL routines::certificate verify failed", Cause.CERT_UNTRUSTED, Phase.BEFORE_MAIL),
    "name": ("== u@g.example {} defer (-37) {}: TLS session: (certificate verification failed)",
             Cause.CERT_NAME, Phase.BEFORE_MAIL),
    "old": ("== u@g.example {} defer (-37): failure while setting up TLS session",
            Cause.TLS_HANDSHAKE, Phase.BEFORE_MAIL),
    "not offered": ("== u@g.example {} defer (-38) {}: a TLS session is required, but the server did not offer TLS support", Cause.TLS_NOT_OFFERED, Phase.BEFORE_MAIL),
    "not offered, old": ("== u@g.example {} defer (-38): a TLS session is required for mx.good.example [198.51.100.7], but the server did not offer TLS support", Cause.TLS_NOT_OFFERED, Phase.BEFORE_MAIL),
    "refused": ("== u@g.example {} defer (-38) {}: a TLS session is required, but an attempt to start TLS failed",
                Cause.TLS_REFUSED, Phase.BEFORE_MAIL),
    "DANE lookup": ("== u@g.example {} defer (-36): DANE error: tlsa lookup DEFER", Cause.DANE, Phase.BEFORE_MAIL),
    "DANE bounce": ("** u@g.example {}: DANE error: tlsa lookup FAIL", Cause.DANE, Phase.BEFORE_MAIL),
    "DANE bounce, 4.99": ("** u@g.example {} : DANE error: mx.g.example lookup not DNSSEC", Cause.DANE,
                          Phase.BEFORE_MAIL),
    "refused connection": ("== u@g.example {} defer (111): Connection refused", Cause.UNRELATED, Phase.BEFORE_MAIL),
    "greeting": ("== u@g.example {} defer (0) {}: SMTP error from remote mail server after initial connection: 421 x",
                 Cause.UNRELATED, Phase.BEFORE_MAIL),
    "greylisted": ("== u@g.example {} defer (-44) {}: SMTP error from remote mail server after RCPT TO:<u@g.example>: 450 TLS session: DANE error: x", Cause.UNRELATED, Phase.MAIL),
    "pipelined": ("== u@g.example {} defer (-45) {}: SMTP error from remote mail server after pipelined MAIL FROM:<a@b>: 451 x", Cause.UNRELATED, Phase.MAIL),
    "peer demands TLS": ("** u@g.example {} {}: SMTP error from remote mail server after MAIL FROM:<a@b>: 530 5.7.0 Must issue a STARTTLS command first", Cause.UNRELATED, Phase.MAIL),
    "lost in EHLO": ("== u@g.example {} defer (-18) {}: Remote host closed connection in response to EHLO relay.example",
                     Cause.UNRELATED, Phase.BEFORE_MAIL),
    "lost in DATA": ("== u@g.example {} defer (-18) {}: Remote host closed connection in response to pipelined DATA",
                     Cause.UNRELATED, Phase.MAIL),
    "user unknown": ("** u@g.example {} {} X=TLS1.3:A:256 CV=yes: SMTP error from remote mail server after RCPT TO:<u@g>: 550 5.1.1 TLS session: x", Cause.UNRELATED, Phase.MAIL),
}  # fmt: skip


@pytest.mark.parametrize(("text", "cause", "phase"), REASONS.values(), ids=REASONS)
def test_reason(text: str, cause: Cause, phase: Phase) -> None:
    """The reason is read from Exim's own words, and never from a reply."""
    reason = attempt(text.format(RT, MX)).reason
    assert reason is not None
    assert (reason.cause, reason.phase) == (cause, phase)


def test_retry_times() -> None:
    """A retry time that has run out expires the mail; one that has not come is no attempt."""
    for text in ("** u@g.example: retry timeout exceeded",
                 f"** u@g.example {RT}: all hosts for 'g.example' have been failing for a long time (and retry time not reached)",
                 f"** u@g.example {RT}: retry time not reached for any host after a long failure period"):  # fmt: skip
        assert attempt(text).outcome is Outcome.EXPIRED
    reason = attempt(f"== u@g.example {RT} defer (-53): retry time not reached for any host for 'g.example'").reason
    assert reason is not None
    assert not reason.attempted


NOTES = {
    "clear": ("TLS session: (gnutls_handshake): timed out: delivering unencrypted to H=mx.good.example [198.51.100.7] (not in hosts_require_tls)", NoteKind.CLEAR, Cause.UNRELATED, "198.51.100.7"),
    "clear, until 4.89": ("TLS session failure: delivering unencrypted to mx.good.example [198.51.100.7] (not in hosts_require_tls)", NoteKind.CLEAR, Cause.UNRELATED, "198.51.100.7"),
    "clear, of a callout": ("TLS session: error on first read: callout unencrypted to mx.good.example [198.51.100.7] (not in hosts_require_tls)", NoteKind.CALLOUT_CLEAR, Cause.UNRELATED, "198.51.100.7"),
    "chain": ("[198.51.100.7] SSL verify error: depth=0 error=self-signed certificate cert=/CN=certificate has expired",
              NoteKind.FAILED, Cause.CERT_UNTRUSTED, "198.51.100.7"),
    "expired": ("[198.51.100.7] SSL verify error: depth=0 error=certificate has expired cert=/CN=x",
                NoteKind.FAILED, Cause.CERT_EXPIRED, "198.51.100.7"),
    "name": ('[198.51.100.7] SSL verify error: certificate name mismatch: DN="/CN=x" H="mx.good.example"',
             NoteKind.FAILED, Cause.CERT_NAME, "198.51.100.7"),
    "name, 4.86": ('[198.51.100.7] SSL verify error: certificate name mismatch: "/CN=x"',
                   NoteKind.FAILED, Cause.CERT_NAME, "198.51.100.7"),
    "chain, until 4.85": ("SSL verify error: depth=0 error=self signed certificate cert=/CN=[192.0.2.66]",
                          NoteKind.FAILED, Cause.CERT_UNTRUSTED, None),
    "DANE": ("DANE attempt failed; TLS connection to mx.good.example [198.51.100.7]: (SSL_connect): error:0A000086:x",
             NoteKind.FAILED, Cause.DANE, "198.51.100.7"),
    "TLS error, 4.85 to 4.89": ("H=mx.good.example [198.51.100.7] TLS error on connection (gnutls_handshake): timed out",
                                NoteKind.FAILED, Cause.TLS_HANDSHAKE, "198.51.100.7"),
    "TLS error, until 4.84": ("TLS error on connection to mx.good.example [198.51.100.7] (SSL_connect): timed out",
                              NoteKind.FAILED, Cause.TLS_HANDSHAKE, "198.51.100.7"),
    "session": ("H=mx.good.example [198.51.100.7]: SMTP error from remote mail server after RCPT TO:<u@g.example>: 450 x",
                NoteKind.SESSION, Cause.UNRELATED, "198.51.100.7"),
    "no connection": ("H=mx.good.example [198.51.100.7] Connection refused",
                      NoteKind.HOST, Cause.UNRELATED, "198.51.100.7"),
    "closed": ("H=mx.good.example [198.51.100.7]: Remote host closed connection in response to EHLO mail",
               NoteKind.HOST, Cause.UNRELATED, "198.51.100.7"),
    "session, no colon": ("H=mx.good.example [198.51.100.7]:25 SMTP error from remote mail server after end of data: 450",
                          NoteKind.SESSION, Cause.UNRELATED, "198.51.100.7"),
    "kept connection that is gone": (f"{MX}: smtp send to mx.good.example [198.51.100.7] failed: Broken pipe: Broken pipe",
                                     NoteKind.SESSION, Cause.UNRELATED, "198.51.100.7"),
    "TLS session that broke": (f"{MX}: bad first read from TLS conn", NoteKind.SESSION, Cause.UNRELATED, "198.51.100.7"),
    "greeting": (f"{MX}: SMTP error from remote mail server after initial connection: 421 busy",
                 NoteKind.HOST, Cause.UNRELATED, "198.51.100.7"),
    "no greeting": (f"{MX}: SMTP timeout after initial connection: Connection timed out",
                    NoteKind.HOST, Cause.UNRELATED, "198.51.100.7"),
    "no connection, FreeBSD": (f"{MX} Operation timed out", NoteKind.HOST, Cause.UNRELATED, "198.51.100.7"),
    "no connection, Alpine": (f"{MX}:25 Host is unreachable", NoteKind.HOST, Cause.UNRELATED, "198.51.100.7"),
    "no connection, our own packet filter": (f"{MX} Operation not permitted", NoteKind.HOST, Cause.UNRELATED, "198.51.100.7"),
    "no address of ours": (f"{MX} Can't assign requested address", NoteKind.HOST, Cause.UNRELATED, "198.51.100.7"),
    "no connection, until 4.84": (f"{MX[2:]}:25 Connection timed out", NoteKind.HOST, Cause.UNRELATED, "198.51.100.7"),
    "required, until 4.84": (f"a TLS session is required for {MX[2:]}, but the server did not offer TLS support",
                             NoteKind.HOST, Cause.TLS_NOT_OFFERED, "198.51.100.7"),
    "required, not offered": (f"{MX}: a TLS session is required, but the server did not offer TLS support",
                              NoteKind.HOST, Cause.TLS_NOT_OFFERED, "198.51.100.7"),
    "required, refused": (f"{MX}: a TLS session is required, but an attempt to start TLS failed",
                          NoteKind.HOST, Cause.TLS_REFUSED, "198.51.100.7"),
    "TLSA not found out": (f"{MX}: DANE error: tlsa lookup DEFER", NoteKind.HOST, Cause.DANE, "198.51.100.7"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "cause", "ip"), NOTES.values(), ids=NOTES)
def test_note(text: str, kind: NoteKind, cause: Cause, ip: str | None) -> None:
    """A line without a flag tells about a host what the delivery line leaves out."""
    event = read_event(record(f"{ID} {text}"))
    assert isinstance(event, HostNote)
    assert (event.note.kind, event.note.cause, event.ip) == (kind, cause, ip)


IGNORED = {
    "harmless after delivery": f"{MX} TLS error on connection (recv): The TLS connection was non-properly terminated.",
    "client": 'H=(x) [192.0.2.66] Warning: "SpamAssassin: delivering unencrypted to H=mx [198.51.100.7]"',
    "client that is rejected": "H=x [192.0.2.66] F=<a@b> rejected after DATA: SMTP error from remote mail server",
    "client that is sent away": "H=(x) [192.0.2.66] Warning",
    "client in the admin's words": "H=x [192.0.2.66]:4711 Greylisted for 5 minutes",
    "admin's host": "mx [192.0.2.66] Connection refused: x",
    "frozen": "Frozen (delivery error message)",
    "admin's own text": "note: TLS session: x: delivering unencrypted to H=mx [198.51.100.7] (not in hosts_require_tls)",
    "suppressed": f"*> u@g.example {RT} {MX}",
    "arrival": "<= a@b.example U=a P=local S=100",
}


@pytest.mark.parametrize("text", IGNORED.values(), ids=IGNORED)
def test_ignored(text: str) -> None:
    """Lines that say nothing about an outbound session are passed over."""
    assert isinstance(read_event(record(f"{ID} {text}")), Nothing)


ARRIVALS = {
    "esmtps": ("<= a@b.example H=h.b.example (helo) [192.0.2.1]:4711 I=[192.0.2.9]:25 P=esmtps L. X=TLS1.3:A:256 CV=no S=9",
               True),
    "bounce": ("<= <> R=1tAbCd-0000yy-1A H=([10.1.2.3]) [192.0.2.1] P=esmtpsa X=TLS1.2:A:256 A=plain:x", True),
    "clear": ('<= a@b.example H=h [192.0.2.1] P=esmtp S=9 T="X=TLS1.3:A:256"', False),
    "sender's text": ('<= "a H=h [192.0.2.1] P=esmtps X=TLS1.3:A:256 "@b.example H=h [192.0.2.1] P=esmtp S=9', False),
    "unquoted sender's text": ("<= a H=h [192.0.2.1] P=esmtps X=TLS1.3:A:256 @b.example U=a P=local S=9", False),
    "ident's text": ("<= a@b.example H=h [192.0.2.1] U=x P=esmtps X=TLS1.3:A:256 P=esmtp S=9", False),
}  # fmt: skip


@pytest.mark.parametrize(("text", "proof"), ARRIVALS.values(), ids=ARRIVALS)
def test_arrival(text: str, *, proof: bool) -> None:
    """An arrival proves that ciphers are logged only where nobody but Exim can have written its X=."""
    assert isinstance(read_event(record(f"{ID} {text}")), Arrival) is proof


def test_ids_and_daemon() -> None:
    """Both forms of the message id are read (the long one since 4.97); the daemon tells its version."""
    assert read_event(record(f"{ID} Completed")) == Completed(ID)
    assert read_event(record(f"{LONG_ID} Completed QT=1s")) == Completed(LONG_ID)
    assert read_event(record("exim 4.98.2 daemon started: pid=1, -q30m")) == DaemonStarted((4, 98))
    assert read_event(record("exim 4.100-dev_1 daemon started: pid=1")) == DaemonStarted((4, 100))


def test_continuation_is_not_searched() -> None:
    """What follows a line break belongs to another entry."""
    event = read_event(record(f"{ID} => u@g.example {RT} {MX}\n X=TLS1.3:A:256"))
    assert isinstance(event, Attempt)
    assert not event.route.encrypted
