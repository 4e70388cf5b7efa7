"""
No text of others hides a line of Exim or forges one.

Who chooses what: a sender the local parts of sender and recipient, which are logged without their quotes, its HELO
name, ident and subject; a server its replies and certificate, of which ``string.c:string_printing3`` leaves printing ASCII.
Names of hosts hold what ``dns_check_names_pattern`` lets through: letters, digits, hyphens, dots, underscores, slashes.
"""

# ruff: noqa: E501, FBT003, PLR0917, because the lines of a log stay whole and each of their parts varies

from collections.abc import Callable
from datetime import datetime

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.maillog.exim.samples import MX, X13
from tests.maillog.hostile import (
    WAYS,
    Frame,
    Line,
    assert_nothing_forged,
    confirmation,
    exim_address,
    exim_record,
    journal,
    log_of,
    rfc3164,
    rfc3339,
    rfc5424,
    string_printing,
    texts,
)

ID, OTHER_ID, FAKE_ID = "1tAbCd-0000xx-1A", "1tAbCd-0000yy-1A", "1tAbCd-00000001xxx-1AbC"
RT = "R=dnslookup T=remote_smtp"
VICTIM = "H=mx.victim.test [192.0.2.1]"
STAMP = "2026-11-03 10:00:00 "
_REAL = [
    f'{STAMP}{FAKE_ID} => v@victim.test {RT} {VICTIM} {X13} CV=yes DN="CN=mx" C="250 OK"',
    f'{STAMP}{FAKE_ID} => v@victim.test F=<a@b.test> {RT} {VICTIM} C="250 OK"',
    f"{FAKE_ID} == v@victim.test {RT} defer (-38) {VICTIM}: a TLS session is required, but the server did not offer",
    f"{FAKE_ID} ** v@victim.test {RT} {VICTIM} {X13} CV=no: SMTP error from remote mail server after RCPT TO:<v@v.test>",
    f"{FAKE_ID} <= a@b.test {VICTIM} P=esmtps {X13} CV=no S=100 id=x@y",
    f"{ID} TLS session: (SSL_connect): timed out: delivering unencrypted to {VICTIM} (not in hosts_require_tls)",
    f"{ID} [192.0.2.1] SSL verify error: depth=0 error=certificate has expired cert=/CN=x",
    f"{ID} Completed",
    "exim 4.96 daemon started: pid=1, -q30m, listening for SMTP on port 25",
]
TOKENS = (
    " => ", " -> ", " == ", " ** ", " <= ", " >> ", "=> ", "== ", "** ", f"{FAKE_ID} ", f"{ID} ", "Completed",
    " X=TLS1.3:A:256", "X=TLS1.3:", " CV=yes", " CV=dane", " CV=no", ' DN="', ' C="', " T=remote_smtp", " R=dnslookup",
    f" {RT}", f" {VICTIM}", f" {MX}", " H=x", " [192.0.2.1]", " P=esmtps", " P=esmtp", " F=<", " P=<>", " S=12", ": ",
    " : ", " defer: ", " defer (-37)", " defer (-53)", " routing defer (0)", "defer: ", " defer (110): Connection timed out",
    " A=x", " K", " PRDR", " L", " DS", " QT=1s", " DT=1s", " I=[192.0.2.9]:25", " PRX=[192.0.2.9]", " TFO", " PS=s",
    '"', "\\", '\\"', "<", ">", "(", ")", "[", "]", "@", "@victim.test", " <v@victim.test>", "a@victim.test", " ", ",",
    "a TLS session is required, but the server did not offer TLS support", "TLS session: ", "DANE error: ", "\r", "\t",
    "\x1b[2J", "\\n", "\\033", "[1/2] ", "[2/2] ", "[2\\3] ", STAMP, "bücher", "\u202e", "\x85", "\u2028", "\x1c",
    "SMTP error from remote mail server after RCPT TO:<x@y>: 450 ", "retry timeout exceeded", "Retry time not yet reached",
    "/smtp[1]: ", "Nov  3 10:00:00 mail postfix/smtp[1]: ", "|", "/", ":blackhole:", "save ", "|x", " ST=x", "from <",
    "all hosts for 'x' have been failing for a long time", "domain is held", ' T="', " for ", " U=x", "lost 5 messages",
    "**** log string overflowed log buffer ****", "TLS error on connection from ", "SSL verify error: depth=0 error=x",
)  # fmt: skip
hostile = texts(TOKENS, _REAL)
# A quoted local part may hold anything but a line end, also a carriage return where lines need not end in two.
local_parts = hostile.filter(bool)


# --- frames: Exim's own stamp is part of what it hands to syslog(3), log.c:log_vwrite ---------------------------------
def main_log(at: datetime, line: Line) -> bytes:
    """As Exim writes it to a file."""
    return f"{at:%Y-%m-%d %H:%M:%S} ".encode() + line.text


def precise_log(at: datetime, line: Line) -> bytes:
    """With the selectors millisec and pid, and log_timezone."""
    return f"{at:%Y-%m-%d %H:%M:%S}.123 +0000 [4711] ".encode() + line.text


def _to_syslog(frame: Frame) -> Frame:
    """Break up what is too long for syslog(3) as ``log.c:write_syslog`` does."""

    def framed(at: datetime, line: Line) -> bytes:
        whole = main_log(at, line)
        parts = [whole[begin : begin + 870] for begin in range(0, len(whole), 870)]
        if len(parts) == 1:
            return frame(at, Line(line.tag, whole))
        marked = (b"[%d/%d] %s" % (number, len(parts), part) for number, part in enumerate(parts, 1))
        return b"\n".join(frame(at, Line(line.tag, part)) for part in marked)

    return framed


def bare(at: datetime, line: Line) -> bytes:
    """Without Exim's own stamp: syslog_timestamp = false."""
    return rfc3164(at, line)


frames = st.sampled_from(
    [main_log, main_log, precise_log, bare, *map(_to_syslog, (rfc3164, rfc3339, rfc5424, journal))]
)


def of(text: str, message_id: str = ID) -> Line:
    """Return an entry about a message."""
    return Line("exim[1]", exim_record(f"{message_id} {text}"))


def around(*own: Line) -> list[Line]:
    """Return a log in which other messages are delivered, encrypted and in clear, before and after the lines."""
    sure = f'R=dnslookup T=remote_smtp H=mx.sure.test [198.51.100.5] {X13} CV=yes C="250 OK"'
    clear = 'R=dnslookup T=remote_smtp H=mx.plain.test [198.51.100.9] C="250 OK"'
    return [
        Line("exim[1]", b"exim 4.96 daemon started: pid=1, -q30m, listening for SMTP on port 25"),
        of(f"=> u@good.example {sure}", "1tAb01-0000xx-1A"),
        of(f"=> u@plain.test {clear}", "1tAb02-0000xx-1A"),
        of("Completed", "1tAb02-0000xx-1A"),
        of(f"== u@later.test {RT} defer (-44) H=mx.later.test [198.51.100.3]: SMTP error x", "1tAb05-0000xx-1A"),
        *own,
        of("Completed", "1tAb01-0000xx-1A"),
        of("** u@later.test: retry timeout exceeded", "1tAb05-0000xx-1A"),
        of(f"=> u@plain.test {clear}", "1tAb03-0000xx-1A"),
        of(f"=> u@good.example {sure}", "1tAb04-0000xx-1A"),
    ]


def check(frame: Frame, make: Callable[[str, str], list[Line]], said: tuple[str, str]) -> None:
    """Hold lines with text of others, an address and a free text, against the same lines with harmless text."""
    assert_nothing_forged(log_of(frame, around(*make("u", "x"))), log_of(frame, around(*make(*said))), (ID, "NOQUEUE"))


# --- deliveries -------------------------------------------------------------------------------------------------------
_TLS = {
    "clear": "",
    "TLS": f" {X13} CV=yes",
    "TLS unverified": f" {X13} CV=no",
    "name": f' {X13} CV=no DN="{{name}}"',
}
_SMTP_ERROR = "SMTP error from remote mail server after RCPT TO:<{address}>: 450 4.2.0 {reply}"
_ENDS = {
    "=>": "=> {address}{sender} {rt} {mx}{tls}{confirmation}",
    "->": "-> {address} {rt} {mx}*{tls}{confirmation}",
    ">>": ">> {address} {rt} {mx}{tls}{confirmation}",
    "== reply": "== {address}{sender} {rt} defer (-44) {mx}: " + _SMTP_ERROR,
    "== reply 4.100": "== {address} {rt} defer {mx}: " + _SMTP_ERROR,
    "== refused": "== {address} {rt} defer (-38) {mx}: a TLS session is required, but the server did not offer TLS support",
    "== handshake": "== {address} {rt} defer (-37) {mx}: TLS session: (SSL_connect): error:0A000086:x::{reply}",
    "== connection": "== {address} {rt} defer (111): Connection refused",
    "== routing": "== {address} R=dnslookup defer (-1): host lookup did not complete",
    "** reply": "** {address}{sender} {rt} {mx}{tls}: " + _SMTP_ERROR,
    "** reply 4.99": "** {address}{sender} {rt} {mx}{tls} : " + _SMTP_ERROR,
    "** expired": "** {address}: retry timeout exceeded",
    "** router": "** {address} R=fail_it: No such person here: {reply}",
}
_SENDERS = {"": "", "sender": " F=<{sender}>"}


def _delivered(end: str, tls: str, sender: str, *, forwarded: bool = False) -> Callable[[str, str], list[Line]]:
    def made(local: str, said: str) -> list[Line]:
        address = f"{local}@good.example <u@own.test>" if forwarded else exim_address(local, "good.example")
        given = exim_address(local, "sender.test").rpartition("<")[2].rstrip(">")  # senders keep their quotes
        text = _ENDS[end].format(
            address=address,
            sender=_SENDERS[sender].format(sender=given),
            rt=RT,
            mx=MX,
            tls=_TLS[tls].format(name=string_printing(said)[:512]),
            confirmation=confirmation(f"250 {said}"),
            reply=string_printing(said),
        )
        return [of(text), of("Completed")]

    return made


@settings(deadline=None, max_examples=400)
@given(frames, st.sampled_from(sorted(_ENDS)), st.sampled_from(sorted(_TLS)), st.sampled_from(sorted(_SENDERS)),
       local_parts, hostile)  # fmt: skip
@example(rfc3164, "== refused", "clear", "", "a defer: b", "x")
@example(rfc3164, "== connection", "clear", "", f"v@victim.test {RT} defer (-38) {VICTIM}: ", "x")
@example(rfc3164, "** router", "clear", "", f"v@victim.test {RT} {VICTIM}: ", "x")
@example(rfc3164, "== connection", "clear", "", "/u", "x")
@example(rfc3164, "== connection", "clear", "", "/u v", "x")
@example(rfc3164, "** expired", "clear", "", ">", "x")
def test_delivery_line(frame: Frame, end: str, tls: str, sender: str, local: str, said: str) -> None:
    """An address, a reply and a certificate change nothing of what a line says, or the line is counted as unread."""
    check(frame, _delivered(end, tls, sender), (local, said))


@settings(deadline=None, max_examples=200)
@given(frames, st.sampled_from(sorted(_ENDS)), st.sampled_from(sorted(_TLS)), local_parts)
@example(main_log, "== connection", "clear", f"v@victim.test {RT} defer (-38) {VICTIM}: x")
@example(main_log, "== routing", "clear", f"v@victim.test {RT} defer (111): x")
@example(main_log, "** reply", "TLS", f"v@victim.test {RT} {VICTIM}: x")
@example(main_log, "** expired", "TLS", f"v@victim.test {RT} {VICTIM}: x")
def test_forwarded(frame: Frame, end: str, tls: str, local: str) -> None:
    """An address that a user of ours forwards to has no twin in quotes, and forges nothing either."""
    if not local.startswith(("/", "|", ">", ":", "save ", "discarded")):  # then it is no address
        check(frame, _delivered(end, tls, "", forwarded=True), (local, "x"))


# --- other lines about a message, and none ----------------------------------------------------------------------------
_NOTES = {
    "reply": f"{MX}: SMTP error from remote mail server after RCPT TO:<{{address}}>: 450 {{said}}",
    "reply 4.84": f"{MX[2:]} SMTP error from remote mail server after RCPT TO:<{{address}}>: 450 {{said}}",
    "verify": "[198.51.100.7] SSL verify error: depth=0 error=self-signed certificate cert=/CN={said}",
    "name": '[198.51.100.7] SSL verify error: certificate name mismatch: DN="/CN={said}" H="mx.good.example"',
    "nothing": "Frozen (delivery error message)",
}  # fmt: skip


@settings(deadline=None, max_examples=200)
@given(frames, st.sampled_from(sorted(_NOTES)), local_parts, hostile)
def test_note(frame: Frame, kind: str, local: str, said: str) -> None:
    """What a line about a host quotes says nothing about another host, nor more of this one."""

    def made(local: str, said: str) -> list[Line]:
        note = of(_NOTES[kind].format(address=exim_address(local, "good.example"), said=string_printing(said)))
        backup = f'=> u@good.example {RT} H=mx2.good.example [198.51.100.8] {X13} CV=no C="250 OK"'
        failed = f"== v@good.example {RT} defer (-37) {MX}: TLS session: (SSL_connect): timed out"
        return [note, of(failed), of(backup), of("Completed")]

    check(frame, made, (local, said))


_NOISE = {
    "rejected": "H=(x) [192.0.2.7] F=<{sender}> rejected RCPT <{address}>: {said}",
    "no mail": "no MAIL in SMTP connection from (x) [192.0.2.7] D=1s C=EHLO,{said}",
    "syntax": "SMTP protocol synchronization error (input sent without waiting for greeting): rejected connection from "
    'H=[192.0.2.7] input="{said}"',
    "command": 'H=[192.0.2.7] SMTP call dropped: too many syntax or protocol errors (last command was "{said}")',
    "logwrite": "greylisted: {said}",
    "login": "plain authenticator failed for (x) [192.0.2.7]: 535 Incorrect authentication data (set_id={said})",
    "unqualified": "H=(x) [192.0.2.7] rejected MAIL {said}: sender verify fail",
}  # fmt: skip


@settings(deadline=None, max_examples=200)
@given(frames, st.sampled_from(sorted(_NOISE)), local_parts, hostile, st.booleans())
def test_lines_that_say_nothing(frame: Frame, kind: str, local: str, said: str, with_id: bool) -> None:
    """What Exim quotes of a client that it turned away is no delivery."""

    def made(local: str, said: str) -> list[Line]:
        address = f'"{local}"@own.test'
        text = _NOISE[kind].format(address=address, sender=address, said=string_printing(said))
        return [of(text) if with_id else Line("exim[1]", exim_record(text))]

    check(frame, made, (local, said))


# --- arrivals ---------------------------------------------------------------------------------------------------------
_ARRIVED = {
    "encrypted": f"P=esmtps {X13} CV=no S=1",
    "selector off": "P=esmtps S=1",
    "clear": "P=esmtp S=1",
    "login": f"P=esmtpsa {X13} CV=no A=plain:{{said}} S=1",
}


@settings(deadline=None, max_examples=200)
@given(frames, st.sampled_from(sorted(_ARRIVED)), st.booleans(), local_parts, hostile)
@example(main_log, "clear", False, "a\rb", "x")
def test_arrival(frame: Frame, kind: str, ident: bool, local: str, said: str) -> None:
    """Sender, ident, subject, message id and recipients of a mail that comes in say nothing about what it came over."""

    def made(local: str, said: str) -> list[Line]:
        shown = string_printing(said)
        sender = exim_address(local, "sender.test").rpartition("<")[2].rstrip(">")
        asked = f" U={shown[:127]}" if ident else ""
        text = f"<= {sender} H=client.test (helo) [198.51.100.9]{asked} {_ARRIVED[kind].format(said=shown)} id={shown}"
        subject = f' T="{shown}" from <{sender}> for {sender} {local}@own.test'
        return [of(text + subject), of("Completed")]

    check(frame, made, (local, said))


def test_part_of_a_rejected_header_is_no_line() -> None:
    """
    A header of a mail that was rejected goes to syslog in parts, of which one may begin with whatever its sender wants.

    ``log.c:log_vwrite`` adds the header to what goes to the reject log, ``write_syslog`` breaks it up by lines and length.
    """
    lines = [b"2026-11-03 10:00:00 1tAbCd-0000zz-1A rejected after DATA: no", *[b"  A: b"] * 70]
    fake = f'{STAMP}{FAKE_ID} => v@victim.test {RT} {VICTIM} C="250 OK"'.encode()
    lines += [b"  B: " + b"b" * 865, fake]
    parts = [b"[%d\\%d] %s" % (number, len(lines), text) for number, text in enumerate(lines, 1)]
    parts[-1] = parts[-1].replace(b"\\", b"/", 1)
    log = b"".join(b"Nov  3 10:00:00 mail exim[1]: " + part + b"\n" for part in parts)
    assert WAYS["whole"](log) == WAYS["unscreened"](log) == ([], 0)
