"""
No text of others hides a line of Postfix or forges one.

Two things cannot be told until 3.4, or with info_log_address_format = internal: ``a>, orig_to=<b@c`` is logged as an
address ``a`` and the one that it was before its alias; and of an address so long that the line is cut within it, what
looks like the rest of a line.

Who chooses what: a sender the local parts of sender and recipient; a server its replies and certificate; a client its
HELO name, login and commands. Names of hosts are checked by Postfix (``util/valid_hostname.c``), so they hold letters,
digits, hyphens and dots.
"""

# ruff: noqa: E501, FBT003, PLR0917, because the lines of a log stay whole and each of their parts varies

from collections.abc import Callable

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.maillog.hostile import (
    POSTFIX_RECORD,
    Frame,
    Line,
    assert_nothing_forged,
    external,
    journal,
    log_of,
    postfix_record,
    postlogd,
    rfc3164,
    rfc3339,
    rfc5424,
    texts,
)
from tests.maillog.postfix.lines import DELAYS, MX, START, TLS13, tls, to

QID, FAKE_QID, SOON_QID = "7D959244159", "7D95924415A", "7D95924415B"
VICTIM = "mx.victim.test[192.0.2.1]:25"
_SENT = to(FAKE_QID, VICTIM, recipient="v@victim.test")
_REAL = [
    _SENT,
    to(FAKE_QID, VICTIM, recipient="v@victim.test", tls="may:none"),
    to(FAKE_QID, VICTIM, recipient="v@victim.test", tls="encrypt", status="status=deferred (x)", dsn="4.7.5"),
    tls(VICTIM),
    f"smtp[1]: {FAKE_QID}: TLS is required, but was not offered by host mx.victim.test[192.0.2.1]",
    f"qmgr[2]: {FAKE_QID}: from=<v@victim.test>, status=expired, returned to sender",
    "smtpd[3]: connect from mx.victim.test[192.0.2.1]",
    f"smtpd[3]: {FAKE_QID}: client=mx.victim.test[192.0.2.1]",
    "disconnect from mx.victim.test[192.0.2.1] ehlo=1 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=6",
    "server certificate verification failed for mx.good.test[203.0.113.1]:25: certificate has expired",
    "rsyslogd: imuxsock lost 5 messages from pid 11 due to rate-limiting",
]
TOKENS = (
    "status=sent", "status=deferred", "status=bounced", "/smtp[1]: ", "/smtpd[1]: ", "/anvil[", "/cleanup[", "/error[",
    "/qmgr[1]: ", "/master[1]: daemon started", "relay=a[1.2.3.4]:25", ">, relay=mx.victim.test[192.0.2.1]:25, ",
    ">, orig_to=<", ", orig_to=<v@victim.test>", "delay=1, delays=0/0/0/1, ", "dsn=2.0.0, ", "tls=may, ", "tls=may:none, ",
    "tls=dane, ", " (250 ok)", "status=sent (250 ok)", "conn_use=2, ", " TLS connection established to ", "Trusted",
    "TLS is required, but was not offered by host ", "Cannot start TLS: handshake failure", "lost 5 messages", "to=<",
    ": to=<v@victim.test>, ", ": client=", ", sasl_method=PLAIN", " starttls=1", "commands=6", "drop messages",
    "begin to drop messages", " messages lost due to rate-limiting", "status=expired, returned to sender", " removed",
    "message repeated 2 times: [ ", "certificate verification failed for ", "disabling TLS support", "said: ", "@", "<",
    "(in reply to EHLO command)", "@victim.test", ">", '"', '">', "\\", '\\"', "[", "]", "(", ")", ", ", ": ", " ", "\r",
    "\x1b[2J", "bücher.example", "\u202e", "\u2028", "\x85", "\x1c", f"{FAKE_QID}: ", f"{QID}: ", TLS13,
    "Nov  3 10:00:00 mail postfix/smtp[1]: ", "exim[1]: 2026-11-03 10:00:00 1tAbCd-0000xx-1A => v@victim.test R=r T=t ",
)  # fmt: skip
hostile = texts(TOKENS, _REAL)
local_parts = hostile.map(lambda text: text.replace("\n", " ") or "u")
frames = st.sampled_from([rfc3164, rfc3164, rfc3339, postlogd, rfc5424, journal])
OK = "250 2.0.0 Ok: queued as ABC123"


def of(text: str) -> Line:
    """Return a line of one of Postfix's programs, given as ``smtp[1]: text``."""
    tag, _, said = text.partition(": ")
    return Line(f"postfix/{tag}", postfix_record(said))


def around(*own: Line) -> list[Line]:
    """Return a log in which other processes deliver, encrypted and in clear, before and after the lines."""
    before = [
        START,
        tls(MX, pid=91), to("AAAAAA0001", MX, pid=91),
        to("AAAAAA0002", "mx.plain.test[203.0.113.5]:25", pid=92, recipient="u@plain.test"),
        tls(MX, pid=95),
    ]  # fmt: skip
    after = [
        to("AAAAAA0005", MX, pid=95),
        tls(MX, pid=93), to("AAAAAA0003", MX, pid=93),
        to("AAAAAA0004", "mx.plain.test[203.0.113.5]:25", pid=94, recipient="u@plain.test"),
        tls(MX, pid=96), to("AAAAAA0006", MX, pid=96),
    ]  # fmt: skip
    return [*map(of, before), *own, *map(of, after)]


def check(
    frame: Frame, make: Callable[[str, str], list[Line]], harmless: tuple[str, str], said: tuple[str, str]
) -> None:
    """Hold lines with text of others, an address and a free text, against the same lines with harmless text."""
    assert_nothing_forged(log_of(frame, around(*make(*harmless))), log_of(frame, around(*make(*said))), (QID,))


# --- delivery lines ---------------------------------------------------------------------------------------------------
_ENDS = {
    "sent": "dsn=2.0.0, status=sent ({})",
    "said": "dsn=4.2.0, status=deferred (host mx.good.test[203.0.113.1] said: {} (in reply to RCPT TO command))",
    "greeting": "dsn=4.2.0, status=deferred (host mx.good.test[203.0.113.1] refused to talk to me: {})",
    "refused": "dsn=4.7.5, status=deferred (TLS is required, but host mx.good.test[203.0.113.1] refused to start TLS: {})",
    "bounced": "dsn=5.1.1, status=bounced (host mx.good.test[203.0.113.1] said: {} (in reply to DATA command))",
}
_RECIPIENTS: dict[str, Callable[[str], str]] = {
    "external": lambda local: f"to=<{external(local)}@good.test>, ",
    "internal": lambda local: f"to=<{local}@good.test>, ",
    "alias": lambda local: f"to=<u@good.test>, orig_to=<{external(local)}@own.test>, ",
    "internal alias": lambda local: f"to=<u@good.test>, orig_to=<{local}@own.test>, ",
}


def _status(form: str, end: str, stated: str, *, session: bool, program: str) -> Callable[[str, str], list[Line]]:
    def made(local: str, reply: str) -> list[Line]:
        said = _ENDS[end].format(reply)
        line = of(f"{program}[7]: {QID}: {_RECIPIENTS[form](local)}relay={MX}, {DELAYS}, {stated}{said}")
        return [of(tls(MX, pid=7).replace("smtp[", f"{program}[")), line] if session else [line]

    return made


_FAKE = f"v@victim.test>, relay={VICTIM}, {DELAYS}, dsn=2.0.0, status=sent"


@settings(deadline=None, max_examples=400)
@example(rfc3164, "internal", "sent", "", False, "smtp", _FAKE, "")
@example(rfc3164, "internal", "sent", "tls=may, ", False, "smtp", f"{_FAKE} (x)", "")
@example(rfc3164, "external", "sent", "tls=may, ", False, "smtp", f"{_FAKE} (250 ok{'a' * 2_000}", "")
@example(rfc3164, "alias", "sent", "tls=may, ", False, "smtp", f"{_FAKE} (250 ok{'a' * 2_000}", "")
@given(
    frames, st.sampled_from(sorted(_RECIPIENTS)), st.sampled_from(sorted(_ENDS)),
    st.sampled_from(["", "tls=may, ", "tls=may:none, ", "tls=encrypt, ", "tls=may?, "]),
    st.booleans(), st.sampled_from(["smtp", "smtp", "lmtp"]), local_parts, hostile,
)  # fmt: skip
def test_delivery_line(
    frame: Frame, form: str, end: str, stated: str, session: bool, program: str, local: str, reply: str
) -> None:
    """An address and a reply change nothing of what a delivery line says, or the line is counted as unread."""
    if form.startswith("internal"):
        local = local.replace(">, orig_to=<", ">, orig=<")[:400]
    check(frame, _status(form, end, stated, session=session, program=program), ("u", OK), (local, f"250 {reply}"))


def _before(text: str, program: str = "smtp") -> Callable[[str, str], list[Line]]:
    """Return what makes a line with free text in front of the deliveries of its process, one encrypted, one not."""

    def made(local: str, said: str) -> list[Line]:
        free = of(f"{program}[7]: {text.format(local=external(local), said=said)}")
        plain = to(QID, "mx.plain.test[203.0.113.5]:25", pid=7, recipient="u@plain.test")
        failed = to(QID, status="status=deferred (Server certificate not verified)", dsn="4.7.5", pid=7)
        handshake = to(QID, status="status=deferred (Cannot start TLS: handshake failure)", dsn="4.7.5", pid=7)
        session = of(tls(MX, pid=7))
        return [
            session, free, of(to(QID, MX, pid=7)), session, free, of(failed), free, of(handshake), free, of(plain)
        ]  # fmt: skip

    return made


_FREE = {
    "reply": f"{QID}: host mx.good.test[203.0.113.1] said: {{said}} (in reply to RCPT TO command)",
    "greeting": f"{QID}: host mx.good.test[203.0.113.1] refused to talk to me: {{said}}",
    "refused": f"{QID}: TLS is required, but host mx.good.test[203.0.113.1] refused to start TLS: {{said}}",
    "login": f"{QID}: SASL authentication failed; server mx.good.test[203.0.113.1] said: {{said}}",
    "subject": "mx.good.test[203.0.113.1]:25: subject_CN={said}",  # the rest is cut off where it is long
    "issuer": "mx.good.test[203.0.113.1]:25: subject_CN=x, issuer={said}, cert fingerprint=00:11, pkey fingerprint=00",
    "peer name": "mx.good.test[203.0.113.1]:25: matched peername: {said}",
    "library": "warning: TLS library problem: error:0A000086:SSL routines::{said}:ssl/statem/statem_clnt.c:1889:",
    "reply that is none": "warning: non-ESMTP response from mx.good.test[203.0.113.1]:25: {said}",
    "enhanced": "warning: mx.good.test[203.0.113.1]:25 offered null AUTH mechanism list: {said}",
    "passing": f"{QID}: passing <{{local}}@good.test> to transport=lmtp",
}
_UNTRUSTED = "server certificate verification failed for mx.good.test[203.0.113.1]:25: untrusted issuer {said}"


@settings(deadline=None, max_examples=150)
@given(frames, st.sampled_from(sorted(_FREE)), local_parts, hostile)
@example(rfc3164, "subject", "u", "server certificate verification failed for mx.good.test[203.0.113.1]:25: "
         "certificate has expired")  # fmt: skip
@example(rfc3164, "reply", "u", "a" * POSTFIX_RECORD)
@example(rfc3164, "subject", "u", "disabling TLS support")
@example(rfc3164, "reply that is none", "u", "disabling TLS support")
@example(rfc3164, "passing", "Nov  3 10:00:00 mail postfix/smtp[1]: ", "")
def test_free_text_of_the_client(frame: Frame, kind: str, local: str, said: str) -> None:
    """Replies, certificates and addresses in other lines of smtp(8) change no delivery."""
    check(frame, _before(_FREE[kind]), ("u", "x"), (local, said))


@settings(deadline=None, max_examples=150)
@given(frames, st.sampled_from(["smtp", "tlsproxy"]), hostile)
def test_untrusted_issuer(frame: Frame, program: str, said: str) -> None:
    """The name of an issuer is no reason of ours why a certificate was refused."""
    check(frame, _before(_UNTRUSTED, program), ("u", "CN=x"), ("u", said))


# --- programs beside smtp(8) ------------------------------------------------------------------------------------------
_PIPED = {
    "pipe": "status=bounced (user unknown. Command output: {})",
    "local": 'status=bounced (Command died with status 1: "/usr/bin/x". Command output: {})',
    "virtual": "status=sent (delivered to maildir {})",
    "error": "status=bounced ({})",
}


@settings(deadline=None, max_examples=150)
@given(frames, st.sampled_from(sorted(_PIPED)), local_parts, hostile)
def test_other_delivery_agents(frame: Frame, program: str, local: str, said: str) -> None:
    """What a command prints and a mailbox is called changes nothing of its line, and of no other."""

    def made(local: str, said: str) -> list[Line]:
        end = f"relay={program}, {DELAYS}, dsn=5.1.1, {_PIPED[program].format(said)}"
        return [of(f"{program}[8]: {QID}: to=<{external(local)}@good.test>, {end}")]

    check(frame, made, ("u", "x"), (local, said))


_NOISE = {
    "message id": f"cleanup[4]: {QID}: message-id=<{{said}}>",
    "header": f"cleanup[4]: {QID}: warning: header Subject: {{said}} from x[192.0.2.7]; from=<{{local}}@a.test>",
    "milter": f"cleanup[4]: {QID}: milter-reject: END-OF-MESSAGE from x[192.0.2.7]: 5.7.1 {{said}}; proto=ESMTP",
    "pickup": f"pickup[4]: {QID}: uid=1000 from=<{{local}}>",
    "reject": "smtpd[4]: NOQUEUE: reject: RCPT from x[192.0.2.7]: 554 5.7.1 <{local}@a.test>: Relay access denied; "
    "from=<{local}@a.test> to=<{local}@a.test> proto=ESMTP helo=<{said}>",
    "command": "smtpd[4]: warning: non-SMTP command from x[192.0.2.7]: {said}",
    "pipelining": "smtpd[4]: improper command pipelining after EHLO from x[192.0.2.7]: {said}",
    "login": "smtpd[4]: warning: x[192.0.2.7]: SASL PLAIN authentication failed: {said}, sasl_username={local}",
    "address": "smtpd[4]: warning: Illegal address syntax from x[192.0.2.7] in RCPT command: <{said}>",
    "postscreen": "postscreen[4]: PREGREET 11 after 0.1 from [192.0.2.7]:1234: {said}",
    "postscreen reject": "postscreen[4]: NOQUEUE: reject: RCPT from [192.0.2.7]:1: 550 5.7.1 x; from=<{local}@a.test>, "
    "to=<{local}@a.test>, proto=ESMTP, helo=<{said}>",
    "bounce": f"bounce[4]: {QID}: sender notification failed to <{{local}}@a.test>: {{said}}",
    "retry": f"error[4]: {SOON_QID}: to=<{{local}}@a.test>, relay=none, {DELAYS}, dsn=4.7.4, status=deferred ("
    "delivery temporarily suspended: {said})",
    "resolver": "trivial-rewrite[4]: warning: do not list domain {said} in BOTH mydestination and relay_domains",
    "verify": "verify[4]: cache btree:/x full cleanup: retained=1 {said}",
    "script": "postfix-script[4]: warning: {said}",
}  # fmt: skip
_OTHERS = {
    "dovecot": Line("dovecot", b"imap-login: Login: user=<%s>, method=PLAIN, rip=192.0.2.7"),
    "dovecot lmtp": Line("dovecot", b"lmtp(9): msgid=<%s>: saved mail to INBOX"),
    "sshd": Line("sshd[4]", b"Invalid user %s from 192.0.2.7 port 1234"),
    "spamd": Line("spamd[4]", b"spamd: processing message <%s> for u:1000"),
    "opendkim": Line("opendkim[4]", b"%s: DKIM-Signature field added (s=x, d=y)"),
    "amavis": Line("amavis[4]", b"(1-1) Passed CLEAN, <%s> -> <u@a.test>, Message-ID: <x>"),
}


@settings(deadline=None, max_examples=150)
@given(frames, st.sampled_from(sorted(_NOISE)), local_parts, hostile)
def test_lines_that_say_nothing(frame: Frame, kind: str, local: str, said: str) -> None:
    """What cleanup(8), smtpd(8) and the like quote of others is no delivery, and changes none."""

    def made(local: str, said: str) -> list[Line]:
        return [of(_NOISE[kind].format(local=external(local), said=said)) for _ in range(2)]

    check(frame, made, ("u", "x"), (local, said))


@settings(deadline=None, max_examples=150)
@given(frames, st.sampled_from(sorted(_OTHERS)), hostile)
@example(rfc3164, "sshd", "lost 5 messages")
def test_programs_that_are_not_postfix(frame: Frame, kind: str, said: str) -> None:
    """What other programs of the machine quote is neither a line of Postfix nor a word of the system's logger."""

    def made(_local: str, said: str) -> list[Line]:
        tag, text = _OTHERS[kind]
        return [Line(tag, text.replace(b"%s", postfix_record(said)))]

    check(frame, made, ("u", "x"), ("u", said))


_EXPIRED = ">, status=expired, returned to sender"
_ENDS_AT_THE_CUT = _EXPIRED.rjust(POSTFIX_RECORD - len(f'{QID}: from=<"'), "a") + "@"


@settings(deadline=None, max_examples=150)
@given(frames, st.booleans(), local_parts)
@example(rfc3164, True, _ENDS_AT_THE_CUT)
@example(rfc3164, True, f"a{_EXPIRED}{' ' * POSTFIX_RECORD}")
@example(rfc3164, False, f"a{_EXPIRED}{' ' * POSTFIX_RECORD}")
@example(journal, True, f"a{_EXPIRED}{' ' * POSTFIX_RECORD}")
def test_sender(frame: Frame, quoted: bool, local: str) -> None:
    """The sender's address is a line of no mail that is expired, and ends none."""

    def made(local: str, _said: str) -> list[Line]:
        sender = external(local) if quoted else local
        return [
            of(to(QID, MX, pid=7, status="status=deferred (connect to mx.good.test[203.0.113.1]:25: x)", dsn="4.4.1")),
            of(f"qmgr[2]: {QID}: from=<{sender}@a.test>, size=123, nrcpt=1 (queue active)"),
        ]

    check(frame, made, ("u", ""), (local, ""))


# --- mail that comes in -----------------------------------------------------------------------------------------------
def _arrives(kind: str) -> Callable[[str, str], list[Line]]:
    def made(local: str, said: str) -> list[Line]:
        client = "client.test[198.51.100.9]"
        quoted = external(local)
        login = f", sasl_method=PLAIN, sasl_username={said}" if kind == "login" else ""
        lines = {
            "connect": f"smtpd[5]: connect from {client}",
            "tls": f"smtpd[5]: Anonymous TLS connection established from {client}: {TLS13}",
            "noise": f"smtpd[5]: warning: non-SMTP command from {client}: {said}",
            "noise 2": f"smtpd[5]: NOQUEUE: reject: RCPT from {client}: 554 <{quoted}@a.test>: x; helo=<{said}>",
            "begin": f"smtpd[5]: {QID}: client={client}{login}",
            "id": f"cleanup[6]: {QID}: message-id=<{said}>",
            "from": f"qmgr[2]: {QID}: from=<{quoted}@sender.test>, size=1, nrcpt=1 (queue active)",
            "end": f"smtpd[5]: disconnect from {client} ehlo=2 {'' if kind == 'clear' else 'starttls=1 '}mail=1 rcpt=1 "
            "data=1 quit=1 commands=6",
        }
        return [of(line) for name, line in lines.items() if not (name == "tls" and kind in ("clear", "counted"))]

    return made


_CUT_AT_A_BLANK = "a" * (POSTFIX_RECORD - len(f"{QID}: from=<@sender.test>, size=1, nrcpt=1 "))


@settings(deadline=None, max_examples=150)
@example(rfc3164, "tls", _CUT_AT_A_BLANK, "")
@example(rfc3164, "clear", "a" + " " * 3_000, "")
@given(frames, st.sampled_from(["tls", "counted", "clear", "login"]), local_parts, hostile)
def test_mail_that_comes_in(frame: Frame, kind: str, local: str, said: str) -> None:
    """HELO name, login, commands, sender and message id of a client change nothing of what its mail came over."""
    check(frame, _arrives(kind), ("u", "x"), (local, said))
