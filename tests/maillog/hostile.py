"""What others can get into a log: the text that they choose, what the MTA makes of it, and every way to read it."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import strategies as st

from maillog import Delivery, LogReader, ReadSettings
from maillog.formats import new_reader, reader_key, relevant_lines
from maillog.framing import Framer, FrameSettings, Unframed
from maillog.model import Cause, DeliveryReader, Security, Tls, Unread

BEGIN = datetime(2026, 11, 3, 10, tzinfo=UTC)
SETTINGS = ReadSettings(latest=datetime(2026, 11, 30, tzinfo=UTC), host="mail")


# --- what they choose -------------------------------------------------------------------------------------------------
def texts(tokens: Sequence[str], lines: Sequence[str]) -> st.SearchStrategy[str]:
    """Return text made of the words of a grammar, of parts of real lines, of odd characters, and very long."""
    part = st.tuples(st.sampled_from(lines), st.integers(0, 400), st.integers(1, 400)).map(
        lambda cut: cut[0][cut[1] % len(cut[0]) :][: cut[2]]
    )
    odd = st.text(st.characters(exclude_characters="\n\0", exclude_categories=["Cs"]), max_size=6)
    long = st.sampled_from(["a" * 1_000, "a" * 1_900, "é" * 1_000, "a " * 600])
    piece = st.one_of(*[st.sampled_from(tokens)] * 5, part, part, odd)
    return st.lists(piece, max_size=8).map("".join) | st.tuples(st.lists(piece, max_size=5).map("".join), long).map(
        "".join
    )


# --- what Postfix makes of it -----------------------------------------------------------------------------------------
def printable(text: str) -> str:
    """Return what ``util/printable.c`` leaves of a text (``util/msg_output.c:msg_vprintf``): control characters go."""
    return re.sub(r"[\x00-\x1f\x7f]", "?", text)


_DOT_STRING = re.compile(r'[^\s()<>@,;:\\".\[\]\x00-\x20\x7f]+(?:\.[^\s()<>@,;:\\".\[\]\x00-\x20\x7f]+)*', re.ASCII)


def external(local_part: str) -> str:
    """Return a local part as ``global/quote_822_local.c`` writes it, which log lines show since 3.5."""
    if _DOT_STRING.fullmatch(local_part):
        return local_part
    return '"' + re.sub(r'(["\\\r])', r"\\\1", local_part) + '"'


POSTFIX_RECORD = 2_000
"""Bytes behind the tag: ``MSG_SYSLOG_RECLEN`` and ``MSG_LOGGER_RECLEN``."""


def postfix_record(text: str) -> bytes:
    """Return what stands behind ``PROGRAM[PID]: ``: printable, and cut even within a character."""
    return printable(text).encode()[:POSTFIX_RECORD]


# --- what Exim makes of it --------------------------------------------------------------------------------------------
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\v": "\\v", "\f": "\\f"}


def string_printing(text: str) -> str:
    """Return a text as ``string.c:string_printing3`` shows it: names or octal digits, a backslash stays as it is."""
    return "".join(chr(byte) if 32 <= byte < 127 else _NAMED.get(chr(byte), f"\\{byte:03o}") for byte in text.encode())


def confirmation(reply: str) -> str:
    """Return ``C="…"`` as ``deliver.c:delivery_log`` writes it, of 1024 characters of the reply at most."""
    return ' C="' + re.sub(r'(["\\])', r"\\\1", string_printing(reply)[:1_024]) + '"'


def exim_address(local_part: str, domain: str) -> str:
    """
    Return an address as ``deliver.c:string_log_address`` writes it: quotes are gone, then the one that was given.

    The local part of ``address_item`` is without its quotes (``deliver.c:deliver_split_address``); the top address is
    as the client gave it, and stands behind where the two differ.
    """
    if re.fullmatch(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+", local_part) and ".." not in f".{local_part}.":
        return f"{local_part}@{domain}"
    quoted = '"' + re.sub(r'(["\\])', r"\\\1", local_part) + '"'
    return f"{local_part}@{domain} <{quoted}@{domain}>"


EXIM_RECORD = 8_192
"""``LOG_BUFFER_SIZE``."""
_OVERFLOW = "**** log string overflowed log buffer ****\n"


def exim_record(text: str) -> bytes:
    """Return an entry as ``log.c:log_vwrite`` writes it, cut where its buffer ends."""
    whole = text.encode()
    return whole if len(whole) < EXIM_RECORD - 50 else whole[: EXIM_RECORD - 50] + _OVERFLOW.rstrip().encode()


# --- frames -----------------------------------------------------------------------------------------------------------
class Line(NamedTuple):
    """A line before it is framed."""

    tag: str
    """``postfix/smtp[1]``, ``exim[1]``."""
    text: bytes


Frame = Callable[[datetime, Line], bytes]


def rfc3164(at: datetime, line: Line) -> bytes:
    """As syslogd writes it."""
    return f"{at:%b} {at.day:2} {at:%H:%M:%S} mail {line.tag}: ".encode() + line.text


def postlogd(at: datetime, line: Line) -> bytes:
    """As ``util/msg_logger.c`` writes it to maillog_file."""
    return f"{at:%b %d %H:%M:%S} mail {line.tag}: ".encode() + line.text


def rfc3339(at: datetime, line: Line) -> bytes:
    """As rsyslog writes it by default."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.000000+00:00 mail {line.tag}: ".encode() + line.text


def rfc5424(at: datetime, line: Line) -> bytes:
    """As RFC 5424 has it."""
    program, _, pid = line.tag.rstrip("]").partition("[")
    return f"<22>1 {at.isoformat()} mail {program} {pid or '-'} - - ".encode() + line.text


def journal(at: datetime, line: Line) -> bytes:
    """As ``journalctl -o json`` shows it: blanks at the end are gone, and what is no UTF-8 stands as numbers."""
    program, _, pid = line.tag.rstrip("]").partition("[")
    text = line.text.rstrip()  # systemd: journald-syslog.c:manager_process_syslog_message
    try:
        message: object = text.decode()
    except UnicodeDecodeError:
        message = list(text)
    entry = {
        "__REALTIME_TIMESTAMP": str(int(at.timestamp() * 1_000_000)),
        "_HOSTNAME": "mail",
        "SYSLOG_IDENTIFIER": program,
        "_PID": pid or "1",
        "MESSAGE": message,
    }
    return json.dumps(entry).encode()


def log_of(frame: Frame, lines: Iterable[Line]) -> bytes:
    """Return a log of the lines, two seconds apart."""
    return b"".join(frame(BEGIN + timedelta(seconds=2 * n), line) + b"\n" for n, line in enumerate(lines))


# --- the ways to read -------------------------------------------------------------------------------------------------
class Told(NamedTuple):
    """What a log gave."""

    deliveries: list[Delivery]
    unread: int


def _whole(text: bytes) -> Told:
    reader = LogReader(SETTINGS)
    reading = reader.read(text)
    return Told(reading.deliveries + reader.held(), len(reading.unread))


def _slowly(text: bytes) -> Told:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("maillog.reader.head_of", lambda _text: None)
        patch.setattr("maillog.reader.exim_head_of", lambda *_: None)
        return _whole(text)


def _counted(text: bytes) -> Told:
    """Count in the fast lane: no queue ids, so one delivery for each that was counted."""
    reader = LogReader(SETTINGS)
    reading = reader.count(text)
    number = sum(span[0] for span in reader.take().groups.values())
    return Told(_whole(text).deliveries[: number + len(reader.held())], len(reading.unread))


def unscreened(text: bytes) -> Told:
    """Read each line by itself, without looking first whether it may matter."""
    framer = Framer(FrameSettings("mail", UTC, datetime(2026, 11, 30, tzinfo=UTC)))
    readers: dict[object, DeliveryReader] = {}
    found: list[Delivery] = []
    unread = 0
    for line in text.split(b"\n")[:-1]:
        record = framer.frame(line)
        if isinstance(record, Unframed):
            unread += record is Unframed.NO_FRAME and not line[:1].isspace() and any(relevant_lines(line + b"\n"))
            continue
        key = reader_key(record)
        if key is None:
            continue
        reader = readers.setdefault(key, new_reader(key))
        for item in reader.feed(record):
            if isinstance(item, Unread):
                unread += 1
            else:
                found.append(item)
    for reader in readers.values():
        found += reader.held()
    return Told(found, unread)


WAYS: dict[str, Callable[[bytes], Told]] = {
    "whole": _whole,
    "slowly": _slowly,
    "counted": _counted,
    "unscreened": unscreened,
}


def by_time(deliveries: Iterable[Delivery]) -> list[Delivery]:
    """Return deliveries in an order that does not depend on when they were decided."""
    return sorted(deliveries, key=lambda one: (one.time, one.queue_id))


def assert_nothing_forged(harmless: bytes, hostile: bytes, queue_ids: Sequence[str]) -> None:
    """
    Hold a log with text of others against the same log without it, read in every way.

    What is said of all other mail is the same. What is said of the mail in question is the same, or it is missing and
    counted as unread, or less is said of it, see :func:`_less`.
    """
    expected = _whole(harmless)
    assert expected.unread == 0, "the harmless log can be read"
    for name, way in WAYS.items():
        told = way(hostile)
        own, others = _parted(told.deliveries, queue_ids)
        expected_own, expected_others = _parted(expected.deliveries, queue_ids)
        assert others == expected_others, name
        allowed = [less for one in expected_own for less in _less(one)]
        assert [one for one in own if one not in allowed] == [], name
        assert len(own) + told.unread >= len(expected_own), name


def _less(one: Delivery) -> Iterator[Delivery]:
    """Yield a delivery, and what says less of it: no sender, nothing about TLS, nothing of the lines before it."""
    cause = Cause.CERT_UNTRUSTED if one.result.cause is Cause.CERT_NAME else one.result.cause
    for sender in (one.sender_domain, None):
        for tls in (one.tls, Tls(Security.UNKNOWN)):
            for result, reused in ((one.result, one.reused), (one.result._replace(cause=cause), False)):
                yield one._replace(sender_domain=sender, tls=tls, result=result, reused=reused)


def _parted(deliveries: list[Delivery], queue_ids: Sequence[str]) -> tuple[list[Delivery], list[Delivery]]:
    ordered = by_time(deliveries)
    return (
        [one for one in ordered if one.queue_id in queue_ids],
        [one for one in ordered if one.queue_id not in queue_ids],
    )
