"""What the lines of a message say together: which CV= to believe, what is clear text, why mail was not sent."""

# ruff: noqa: E501, because the lines of a log stay whole

import json
from itertools import pairwise

import pytest
from tests.maillog.exim.samples import ID, MX, SENT, SOURCE, X13, feed, numbered, read, record

from maillog.errors import CarryError
from maillog.exim import deliveries
from maillog.exim.deliveries import EximDeliveries
from maillog.model import (
    Authentication,
    Cause,
    Delivery,
    Direction,
    Evidence,
    Outcome,
    Relay,
    Result,
    Scope,
    Security,
    Tls,
    Unread,
)

RT = "R=dnslookup T=remote_smtp"
OTHER = "H=mx.other.example [198.51.100.8]"
DONE = f"{ID} Completed"
UNVERIFIED = Authentication.UNTRUSTED
VERIFIED = Authentication.VERIFIED
NONE, PLAINTEXT, UNKNOWN = Security.NONE, Security.PLAINTEXT, Security.UNKNOWN


def clear(number: int, host: str = "clear", ip: str = "198.51.100.20") -> str:
    """Return a delivery without X= that has a message of its own."""
    return f'{numbered(number)} => u@{host}.example {RT} H=mx.{host}.example [{ip}] C="250 OK"'


def security(*texts: str | tuple[float, str]) -> list[Security]:
    """Return the security of all deliveries of a log."""
    return [delivery.tls.security for delivery in read(*texts)]


def test_whole_delivery() -> None:
    """A delivery line gives all that a delivery says, in the shared words."""
    time = record("").time
    tls = Tls(Security.ENCRYPTED, VERIFIED, Evidence.STATED, "TLSv1.3",
              "ECDHE_X25519__RSA_PSS_RSAE_SHA256__AES_256_GCM")  # fmt: skip
    relay = Relay("mx.good.example", "198.51.100.7", None, Scope.INTERNET)
    assert read(SENT, DONE) == [
        Delivery(time, SOURCE, ID, Direction.OUTBOUND, "good.example", relay, tls, Result(Outcome.SENT))
    ]


TRUST = {
    "yes": ("", f"=> u@g.example {RT} {MX} {X13} CV=yes", VERIFIED),
    "yes, chain only": ("4.84", f"=> u@g.example {RT} {MX} {X13} CV=yes", Authentication.TRUSTED),
    "no": ("", f"=> u@g.example {RT} {MX} {X13} CV=no", UNVERIFIED),
    "dane": ("", f"=> u@g.example {RT} {MX} {X13} CV=dane", Authentication.DANE),
    "not logged": ("", f"=> u@g.example {RT} {MX} {X13}", None),
    "continued, version unknown": ("", f"=> u@g.example {RT} {MX}* {X13} CV=no", None),
    "continued, 4.89": ("4.89", f"=> u@g.example {RT} {MX}* {X13} CV=no", UNVERIFIED),
    "continued, 4.90": ("4.90", f"=> u@g.example {RT} {MX}* {X13} CV=no", None),
    "continued, 4.98": ("4.98.2", f"=> u@g.example {RT} {MX}* {X13} CV=no", None),
    "continued, 4.99": ("4.99", f"=> u@g.example {RT} {MX}* {X13} CV=no", UNVERIFIED),
    "continued, verified": ("", f"=> u@g.example {RT} {MX}* {X13} CV=yes", VERIFIED),
    "cut through": ("", f">> u@g.example {RT} {MX} {X13} CV=no", None),
    "cipher not logged": ("", f"=> u@g.example {RT} {MX} CV=no", UNVERIFIED),
    "bounced": (
        "",
        f"** u@g.example {RT} {MX} {X13} CV=yes: SMTP error from remote mail server after DATA: 550",
        VERIFIED,
    ),
}


@pytest.mark.parametrize(("version", "line", "expected"), TRUST.values(), ids=TRUST)
def test_trust(version: str, line: str, expected: Authentication | None) -> None:
    """CV= is believed where Exim knew what it wrote, and null elsewhere."""
    start = [f"exim {version} daemon started: pid=1"] if version else []
    opened = f"{numbered(9)} => u@g.example {RT} {MX} {X13} CV=yes"
    delivery = read(*start, opened, opened.replace("=> u@g.example", "Completed"), f"{ID} {line}", DONE)[-1]
    assert delivery.tls.security is Security.ENCRYPTED
    assert delivery.tls.authentication is expected


A, B = f"=> a@g.example {RT} {MX} {X13} CV=yes", f"=> b@g.example {RT} {OTHER} {X13} CV=yes"
FAILED_THERE = "SMTP error from remote mail server after RCPT TO:<b@g.example>: 450 later"
RUNS = {
    "two hosts": ([A, B], [None, None]),
    "second address deferred elsewhere": ([A, f"== b@g.example {RT} defer (-44) {OTHER}: {FAILED_THERE}"], [None, None]),
    "second host only in a note": ([f"{OTHER}: {FAILED_THERE}", A, f"== b@g.example {RT} defer (111): Connection refused"],
                                   [None, None]),
    "one host, two addresses": ([A, f"-> c@g.example {RT} {MX} {X13} CV=yes"], [VERIFIED, VERIFIED]),
    "one address, second host after a 450": ([f"{OTHER}: {FAILED_THERE}", f'{A} DN="CN=mx"'], [VERIFIED]),
    "the same, whose cipher may be the first host's": ([f"{OTHER}: {FAILED_THERE}", A], [None]),
    "one address, second host after a refused connection": ([f"{OTHER} Connection refused", A], [VERIFIED]),
    "two transports": ([A, f"=> b@g.example R=x T=other_smtp {OTHER} {X13} CV=yes"], [VERIFIED, VERIFIED]),
    "local recipient beside": ([A, "=> joe <joe@home.example> R=local T=mail_spool"], [VERIFIED, None]),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "expected"), RUNS.values(), ids=RUNS)
def test_several_hosts_in_one_run(lines: list[str], expected: list[Authentication | None]) -> None:
    """CV= is of the run's last session, so it is dropped where a run may have had sessions with several hosts."""
    assert [one.tls.authentication for one in read(*(f"{ID} {line}" for line in lines), DONE)] == expected


def test_which_hosts_failed_before() -> None:
    """Sent or deferred: the other hosts that had failed in the same attempt are named with it."""
    later = f"{ID} == a@g.example {RT} defer (-44) {MX}: {FAILED_THERE}"
    for last in (f"{ID} {A}", later):
        assert read((0, f"{ID} {OTHER} Operation timed out"), (599, last), DONE)[-1].result.earlier == "198.51.100.8"
        assert read(f"{ID} {OTHER}: {FAILED_THERE}", last, DONE)[-1].result.earlier == "198.51.100.8"
        assert read(last, DONE)[-1].result.earlier is None


def test_lines_long_apart_are_no_run() -> None:
    """A message's further attempts, minutes later, are judged by themselves."""
    found = read((0, f"{ID} {A}"), (600, f"{ID} {B}"))
    assert [one.tls.authentication for one in found] == [VERIFIED, VERIFIED]


def test_delivery_is_given_when_complete_or_silent() -> None:
    """A delivery comes out with Completed, or with any record a while after its message fell silent."""
    reader = EximDeliveries(SOURCE)
    assert feed(reader, [SENT]) == []
    assert len(reader.feed(record(DONE, 1))) == 1
    assert feed(reader, [(10, f"{ID} {A}"), (60, "Start queue run: pid=1")]) == []
    assert len(reader.feed(record("End queue run: pid=1", 80))) == 1


def test_clear_between_proofs() -> None:
    """A delivery without X= between two with X= went in clear, and the evidence says how that is known."""
    found = read(SENT, DONE, clear(1), SENT, DONE)
    assert [one.tls.security for one in found] == [Security.ENCRYPTED, PLAINTEXT, Security.ENCRYPTED]
    assert found[1].tls.evidence is Evidence.CORRELATED


def test_nothing_is_clear_without_a_proof() -> None:
    """A log without any X= says nothing about encryption, even where CV= or DN= show some."""
    cv_only = f"{ID} => u@good.example {RT} {MX} CV=yes"
    assert security(clear(1), clear(2)) == [UNKNOWN, UNKNOWN]
    assert security(cv_only, DONE, clear(1), cv_only, DONE) == [Security.ENCRYPTED, UNKNOWN, Security.ENCRYPTED]


def test_cipher_that_is_not_logged_ends_what_was_proven() -> None:
    """CV= without X= shows the selector to be off, so what lies between it and the next X= is not said to be clear."""
    proof = f"{numbered(1)} => u@known.example {RT} H=mx.known.example [198.51.100.30] {X13} CV=yes"
    off = f"{numbered(2)} => u@known.example {RT} H=mx.known.example [198.51.100.30] CV=yes"
    silent = clear(3, "known", "198.51.100.30")
    assert security(proof, off, silent, proof)[2] is UNKNOWN
    assert security(proof, off, ARRIVAL, silent)[2] is UNKNOWN
    assert security(proof, off, ARRIVAL, clear(4))[2] is UNKNOWN


def test_reply_is_no_proof() -> None:
    """A decoy in a reply, a subject or a certificate name proves nothing."""
    decoy = f'{numbered(1)} => u@g.example {RT} {MX} C="250 X=TLS1.3:FAKE:256"'
    subject = f'{numbered(2)} <= a@b.example H=h [192.0.2.1] P=esmtp S=9 T="X=TLS1.3:A:256"'
    assert security(decoy, subject, clear(3), decoy) == [UNKNOWN, UNKNOWN, UNKNOWN]


ARRIVAL = f"{numbered(9)} <= a@b.example H=h.b.example [192.0.2.1] P=esmtps {X13} CV=no S=900"
STARTED = "exim 4.96 daemon started: pid=1, -q30m, listening for SMTP on port 25 (IPv4)"


def test_arrival_proves_what_its_daemon_read() -> None:
    """An encrypted arrival shows that ciphers were logged when its daemon started, and no more than that."""
    assert security(STARTED, ARRIVAL, clear(1)) == [PLAINTEXT]
    assert security((0, STARTED), (20_000, ARRIVAL), (20_001, clear(1))) == [UNKNOWN]


def test_arrivals_do_not_outvote_deliveries_that_fell_silent() -> None:
    """Where hosts that did TLS are all silent at once, arrivals with X= do not make them clear."""
    hosts = [(f"h{number}", f"198.51.100.{30 + number}") for number in range(5)]
    proofs = [
        f"{numbered(number)} => u@{host}.example {RT} H=mx.{host}.example [{ip}] {X13}"
        for number, (host, ip) in enumerate(hosts)
    ]
    silent = [text for number, (host, ip) in enumerate(hosts) for text in (clear(20 + number, host, ip), ARRIVAL)]
    assert security(*proofs, *silent) == [Security.ENCRYPTED] * 5 + [UNKNOWN] * 5


def test_daemon_start_begins_a_new_period() -> None:
    """A restart may have changed the settings, so proofs before one and after another say nothing of what is between."""
    assert security(SENT, DONE, clear(1), SENT) == [Security.ENCRYPTED, PLAINTEXT, Security.ENCRYPTED]
    assert security(SENT, DONE, STARTED, clear(1), STARTED, SENT) == [Security.ENCRYPTED, UNKNOWN, Security.ENCRYPTED]


def test_missing_lines_begin_a_new_period() -> None:
    """Where lines are missing the settings may have changed, and a run may have had sessions that are not there."""
    reader = EximDeliveries(SOURCE)
    found = feed(reader, [SENT, DONE, clear(1)])
    found += feed(reader, [f"{numbered(5)} => u@g.example {RT} {MX} {X13} CV=yes"])
    found += reader.missed()
    found += feed(reader, [clear(2), SENT]) + list(reader.held())
    tls = [delivery.tls for delivery in found if isinstance(delivery, Delivery)]
    clear_ones = [one.evidence for one in tls if one.security is PLAINTEXT]
    assert clear_ones == [Evidence.CORRELATED, Evidence.INFERRED], "the second one is at the edge of the new period"
    assert [one.authentication for one in tls if one.security is Security.ENCRYPTED] == [VERIFIED, VERIFIED]
    assert sum(one.security is UNKNOWN for one in tls) == 1


def test_arrival_does_not_make_a_proof_older() -> None:
    """What a daemon read at its start does not replace what a delivery showed just now."""
    assert security((0, STARTED), (20_000, SENT), (20_001, ARRIVAL), (20_002, clear(1)))[1] is PLAINTEXT


def test_cutthrough_is_the_daemons() -> None:
    """A cutthrough delivery is made by a child of the daemon, so it proves, and needs, the settings of its start."""
    through = f'{numbered(1)} >> u@clear.example {RT} H=mx.clear.example [198.51.100.20] C="250 OK"'
    done = f"{numbered(1)} Completed"
    proof = f"{numbered(2)} >> u@good.example {RT} {MX} {X13} CV=no"
    assert security((0, STARTED), (20_000, proof), (20_001, clear(3)))[1] is UNKNOWN
    assert security((0, STARTED), (20_000, proof), (20_001, through), (20_001, done), (40_000, proof))[1] is PLAINTEXT
    assert security((0, STARTED), (20_000, SENT), (30_000, through), (30_000, done), (60_000, SENT))[1] is UNKNOWN


FALLBACK = "TLS session: (gnutls_handshake): rxd alert: Internal error: delivering unencrypted to {} (not in {})"


def test_fallback_needs_a_proof() -> None:
    """Where TLS logging is off nothing is called clear, not even after "delivering unencrypted to"."""
    note = f"{ID} {FALLBACK.format(MX, 'hosts_require_tls')}"
    assert security(note, f"{ID} => u@g.example {RT} {MX}", DONE) == [UNKNOWN]


def test_fallback_does_not_touch_an_encrypted_delivery() -> None:
    """A name on the line itself stands above any note; a cipher alone may be another connection's since 4.90."""
    note = f"{ID} {FALLBACK.format(MX, 'hosts_require_tls')}"
    assert security(note, f'{SENT} DN="CN=mx.good.example"'.replace(' C="250 OK"', ""), DONE) == [Security.ENCRYPTED]
    assert security(note, SENT, DONE) == [UNKNOWN]
    assert security("exim 4.89 daemon started: pid=1", note, SENT, DONE) == [Security.ENCRYPTED]


SESSIONS = {
    "sent to a file": ("=> /var/mail/joe <joe@home.example> R=local T=address_file", NONE, Scope.LOCAL),
    "sent by LMTP": (f"=> joe@home.example R=virtual T=lmtp {MX}", NONE, Scope.LOCAL),
    "sent by LMTP, transport of another name": (f"=> joe@home.example R=virtual T=store {MX}:24", NONE, Scope.LOCAL),
    "local host list": ("=> joe@home.example R=v T=store H=store.home.example", NONE, Scope.LOCAL),
    "refused connection": (f"== u@g.example {RT} defer (111): Connection refused", NONE, None),
    "greeting": (f"== u@g.example {RT} defer (0) {MX}: SMTP error from remote mail server after initial connection: 421",
                 NONE, Scope.INTERNET),
    "greylisted": (f"== u@g.example {RT} defer (-44) {MX}: {FAILED_THERE}", UNKNOWN, Scope.INTERNET),
    "TLS failed": (f"== u@g.example {RT} defer (-37) {MX}: TLS session: error on first read", NONE, Scope.INTERNET),
    "user unknown": (f"** u@g.example {RT} {MX}: SMTP error from remote mail server after RCPT TO:<u@g>: 550", UNKNOWN,
                     Scope.INTERNET),
    "unroutable": ("** u@g.example: Unrouteable address", NONE, None),
    "filter hop": (f"=> u@g.example R=amavis T=amavis H=127.0.0.1 [127.0.0.1] {X13}", Security.ENCRYPTED, Scope.LOOPBACK),
}  # fmt: skip


@pytest.mark.parametrize(("line", "expected", "scope"), SESSIONS.values(), ids=SESSIONS)
def test_session_of_an_attempt(line: str, expected: Security, scope: Scope | None) -> None:
    """Without a mail transaction there is no security; with one on a line that never shows X=, it is not known."""
    [delivery] = read(f"{ID} {line}", DONE)
    assert (delivery.tls.security, delivery.relay.scope) == (expected, scope)


TLS_FAILED = "TLS session: (SSL_connect): error:0A000086:SSL routines::certificate verify failed"
CAUSES = {
    "the line alone": ([], TLS_FAILED, Cause.CERT_UNTRUSTED),
    "name": (['[198.51.100.7] SSL verify error: certificate name mismatch: DN="/CN=x" H="mx"'], TLS_FAILED, Cause.CERT_NAME),
    "dates": (["[198.51.100.7] SSL verify error: depth=0 error=certificate has expired cert=/CN=x"], TLS_FAILED,
              Cause.CERT_EXPIRED),
    "chain and name": (["[198.51.100.7] SSL verify error: depth=0 error=self-signed certificate cert=/CN=x",
                        '[198.51.100.7] SSL verify error: certificate name mismatch: DN="/CN=x" H="mx"'], TLS_FAILED,
                       Cause.CERT_UNTRUSTED),
    "DANE": (["[198.51.100.7] SSL verify error: depth=0 error=self-signed certificate cert=/CN=x",
              "DANE attempt failed; TLS connection to mx.good.example [198.51.100.7]: (SSL_connect): x"], TLS_FAILED,
             Cause.DANE),
    "another host's": (["[198.51.100.99] SSL verify error: depth=0 error=certificate has expired cert=/CN=x"], TLS_FAILED,
                       Cause.CERT_UNTRUSTED),
    "without address, until 4.85": (["SSL verify error: depth=0 error=certificate has expired cert=/CN=x"],
                                    "failure while setting up TLS session", Cause.CERT_EXPIRED),
    "not TLS": (['[198.51.100.7] SSL verify error: certificate name mismatch: DN="/CN=x" H="mx"'], FAILED_THERE,
                Cause.UNRELATED),
}  # fmt: skip


@pytest.mark.parametrize(("notes", "message", "cause"), CAUSES.values(), ids=CAUSES)
def test_cause(notes: list[str], message: str, cause: Cause) -> None:
    """The notes before a TLS failure tell what the line itself leaves out, for that host only."""
    code = -37 if "TLS session" in message else -44
    line = f"== u@g.example {RT} defer ({code}) {MX}: {message}"
    [delivery] = read(*(f"{ID} {text}" for text in [*notes, line]), DONE)
    assert delivery.result[:3] == (Outcome.DEFERRED, None, cause)


NOT_OFFERED = f"defer (-38) {MX}: a TLS session is required, but the server did not offer TLS support"
LATER = f"== u@g.example {RT} defer (-54): retry time not reached for any host for 'g.example'"
TIMEOUT = "** u@g.example: retry timeout exceeded"


def test_expired_has_the_cause_of_the_last_attempt() -> None:
    """When the retry time is over, the cause is that of the message's last attempt; waiting is no attempt."""
    found = read(
        (0, f"{ID} == u@g.example {RT} defer (111): Connection refused"),
        (900, f"{ID} == u@g.example {RT} {NOT_OFFERED}"),
        (1800, f"{ID} {LATER}"),
        (2700, f"{ID} {TIMEOUT}"),
    )
    assert [one.result.outcome for one in found] == [Outcome.DEFERRED, Outcome.DEFERRED, Outcome.EXPIRED]
    assert [one.result.cause for one in found] == [Cause.UNRELATED, Cause.TLS_NOT_OFFERED, Cause.TLS_NOT_OFFERED]


def test_expired_of_another_address_is_unrelated() -> None:
    """The cause of one address is not that of another one at another domain."""
    found = read(f"{ID} == u@g.example {RT} {NOT_OFFERED}", f"{ID} ** u@other.example: retry timeout exceeded", DONE)
    assert found[1].result == Result(Outcome.EXPIRED, None, Cause.UNRELATED)


@pytest.mark.parametrize(
    "why",
    [
        "all hosts for 'g.example' have been failing for a long time (and retry time not reached)",
        "retry time not reached for any host after a long failure period",  # smtp.c:smtp_transport_entry until 4.87
    ],
)
def test_new_mail_that_expires_at_once_has_the_cause_of_its_domain(why: str) -> None:
    """Mail that comes when a domain's hosts have failed for long is returned untried, for what failed before."""
    gave_up = f"{RT}: {why}"
    first = f"{numbered(1)} == u@g.example {RT} {NOT_OFFERED}"
    found = read((0, first), (900, f"{ID} ** v@g.example {gave_up}"))
    assert found[1].result == Result(Outcome.EXPIRED, None, Cause.TLS_NOT_OFFERED)
    sent = f'{numbered(2)} => u@g.example {RT} {MX} {X13} C="250 OK"'
    found = read((0, first), (100, sent), (900, f"{ID} ** v@g.example {gave_up}"))
    assert found[2].result == Result(Outcome.EXPIRED, None, Cause.UNRELATED)


def test_waiting_is_no_attempt() -> None:
    """A line that says that the retry time is not reached gives no delivery."""
    assert read(f"{ID} {LATER}") == []


def test_unread_line_is_reported() -> None:
    """A delivery line that cannot be read comes out as such, with words for the user."""
    [found] = EximDeliveries(SOURCE).feed(record(f"{ID} => u@g.example {RT} {MX} free text"))
    assert isinstance(found, Unread)
    assert "fields" in found.reason


def test_held_changes_nothing() -> None:
    """What is held can be asked for any number of times."""
    reader = EximDeliveries(SOURCE)
    feed(reader, [SENT, DONE, clear(1), f"{ID} {A}"])
    before = json.dumps(reader.carry())
    assert reader.held() == reader.held()
    assert len(reader.held()) == 2
    assert json.dumps(reader.carry()) == before


def test_no_local_part_is_kept() -> None:
    """The state that is written to disk holds no local part."""
    reader = EximDeliveries(SOURCE)
    feed(reader, [f"{ID} == secretname <other.secret@h.example> {RT} {NOT_OFFERED}".replace("secretname", "secret@g.example"),
                  f"{ID} => secret@g.example <secret@h.example> {RT} {MX} {X13}"])  # fmt: skip
    assert "secret" not in json.dumps(reader.carry())


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither many messages, nor a message with many recipients, nor many failures grow the state without end."""
    for name in ("deliveries.RUNS_LIMIT", "deliveries.HELD_LIMIT", "causes.CAUSES_LIMIT", "quiet.QUIET_LIMIT"):
        monkeypatch.setattr(f"maillog.exim.{name}", 10)
    reader = EximDeliveries(SOURCE)
    messages = [(0, f"1tAb{number:02d}-0000xx-1A {line}") for number in range(90) for line in (A, B)]
    recipients = [(0, f"{ID} => u{number}@g.example {RT} {MX} {X13} CV=yes") for number in range(95)]
    failures = [(0, f"{ID} == u{number}@g{number}.example {RT} {NOT_OFFERED}") for number in range(50)]
    found = feed(reader, [*messages, *recipients, *failures])
    state = reader.carry()
    assert len(state["runs"]) <= 11
    assert max(len(run[2]) for run in state["runs"]) <= 10
    assert len(state["causes"]) == 10
    assert len(found) + len(reader.held()) == len(messages) + len(recipients) + len(failures)


def test_cut_short_messages_are_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a message is judged before all its lines are seen, its CV= is not believed."""
    monkeypatch.setattr(deliveries, "HELD_LIMIT", 1)
    found = read(f"{ID} {A}", f"{ID} -> c@g.example {RT} {MX} {X13} CV=yes")
    assert [one.tls.authentication for one in found] == [None, None]


@pytest.mark.parametrize("carry", [{}, [], None, {"runs": 1}, {"runs": [["x"]]}], ids=repr)
def test_foreign_state_is_refused(carry: object) -> None:
    """A state that another version wrote gives one kind of error, with words for the user."""
    with pytest.raises(CarryError, match="saved state"):
        EximDeliveries(SOURCE).restore(carry)


def test_time_may_run_backwards() -> None:
    """Lines stand in order of writing, not of time: an older stamp neither loses nor repeats anything."""
    texts = [(5.0, f"{ID} {A}"), (3.0, f"{numbered(1)} {A}"), (4.0, DONE)]
    found = read(*texts)
    assert len(found) == 2
    assert all(first.time <= second.time for first, second in pairwise(found))
