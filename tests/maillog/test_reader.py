"""The pure step: a log cut anywhere into pieces gives what the whole gives, in bounded memory, and loses no line."""

import json
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_network
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.maillog.postfix.lines import OTHER, QID2, SETTINGS, Clock, deferred, log, tls, to

from maillog import CarryError, Delivery, LogReader, ReadSettings, Scope, UnreadLine, read_piece
from maillog.damage import LINE_MAX, TOO_LONG
from maillog.reader import HOSTS_LIMIT, NO_FRAME
from maillog.reading import UNREAD_TEXT

BAD = "Nov  3 10:00:00 mail postfix/smtp[1]: 7D959244159: to=<u@good.test>, odd"
PARTS = (
    "Nov  3 10:00:07 mail exim[12]: [1/2] 2026-11-03 10:00:07 1wFXyz-0000Ab-Cd => u@good.test R=dnslookup ",
    "Nov  3 10:00:07 mail exim[12]: [2/2] T=remote_smtp H=mx.good.test [203.0.113.1] X=TLS1.3:AES:256 CV=yes",
)


def mixed() -> bytes:
    """Return a log with something of everything: hosts, instances, both MTAs, errors, parts, long and empty lines."""
    at = Clock()
    lines = [
        at("master[1]: daemon started -- version 3.7.11, configuration /etc/postfix"), at(tls()), at(to()), "",
        "\0\xff garbage",
        at(tls(OTHER, pid=2), host="mail2"), at(to(QID2, OTHER, pid=2), host="mail2"),
        at(to("AAAAAA0001", pid=3)),
        BAD, at(to("AAAAAA0002", status=deferred("Cannot start TLS: handshake failure"))),
        *PARTS,
        at("smtp[4]: " + "x" * (LINE_MAX + 10)), at(to("AAAAAA0003", pid=5), instance="mta-eu"), at("y" * LINE_MAX * 2),
        at("master[1]: reload -- version 3.7.11, configuration /etc/postfix"), at(tls(OTHER, pid=6)),
        at(to("AAAAAA0004", OTHER, pid=6, recipient='"a b"@x.test')), at(to("AAAAAA0005", pid=7)) + "\r",
        at("qmgr[9]: AAAAAA0002: from=<s@our.test>, status=expired, returned to sender"),
    ]  # fmt: skip
    return log(*lines)


REAL = [path.read_bytes()[:30_000] for path in sorted(Path("sample_logs").glob("*/*.log"))]
CORPORA = [mixed(), *REAL]


def in_pieces(data: bytes, cuts: list[int]) -> tuple[list[Delivery], list[UnreadLine], int]:
    """Read a log piece by piece, each time from a state that went through JSON; the unfinished line is given again."""
    carry: Any = None
    deliveries, unread, lines, rest = list[Delivery](), list[UnreadLine](), 0, b""
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for begin, end in pairwise(edges):
        piece = rest + data[begin:end]
        reading, carry = read_piece(piece, carry, SETTINGS)
        carry = json.loads(json.dumps(carry))
        rest = piece[reading.consumed :]
        deliveries += reading.deliveries
        unread += reading.unread
        lines += reading.lines
    return deliveries + LogReader(SETTINGS, carry).held(rest), unread, lines


WHOLE = [in_pieces(data, []) for data in CORPORA]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(st.integers(0, len(CORPORA) - 1), st.lists(st.integers(0, 30_000 + 3 * LINE_MAX), max_size=6))
def test_cut_anywhere(corpus: int, cuts: list[int]) -> None:
    """Cut anywhere, also inside lines, with the state written and read at each cut: the same, to the last detail."""
    assert in_pieces(CORPORA[corpus], cuts) == WHOLE[corpus]


def test_byte_by_byte() -> None:
    """The same one byte at a time."""
    at = Clock()
    data = log(at(tls()), at(to()), BAD, *PARTS, at(to(QID2, pid=2)))
    assert in_pieces(data, list(range(len(data)))) == in_pieces(data, [])


def test_mixed_log_holds_all() -> None:
    """The corpus above is worth its name: both MTAs, four unread lines, two of them too long."""
    deliveries, unread, lines = WHOLE[0]
    assert {delivery.source.mta for delivery in deliveries} == {"postfix", "exim"}
    assert [line.reason for line in unread].count(TOO_LONG) == 2
    assert lines == mixed().count(b"\n")


class TestUnread:
    """Lines that look relevant and cannot be read."""

    def test_where(self) -> None:
        """Number, offset and text of an unread line are its own, in every piece."""
        data = log("x", "y", BAD, "z", BAD + " again")
        _, unread, _ = in_pieces(data, [4, 60, 100])
        assert [line.number for line in unread] == [3, 5]
        assert [data[line.offset :].split(b"\n")[0].decode() for line in unread] == [BAD, BAD + " again"]
        assert [line.text for line in unread] == [BAD, BAD + " again"]

    def test_no_frame(self) -> None:
        """A line that speaks of a delivery and has no frame; continuation lines are left alone."""
        _, unread, _ = in_pieces(log("junk postfix/smtp[1]: x", "  postfix/smtp[1]: x"), [])
        assert [(line.number, line.reason) for line in unread] == [(1, NO_FRAME)]

    def test_text_is_bounded(self) -> None:
        """Only the beginning of a long line is kept."""
        _, unread, _ = in_pieces(log(BAD + "x" * 5_000), [])
        assert len(unread[0].text) == UNREAD_TEXT

    def test_irrelevant(self) -> None:
        """Lines of other programs are not unread."""
        assert in_pieces(log("Nov  3 10:00:00 mail sshd[1]: hello", "hello", ""), []) == ([], [], 3)

    def test_next_log(self) -> None:
        """After rotation numbers and offsets begin anew, and sessions go on."""
        at = Clock()
        reader = LogReader(SETTINGS)
        reader.read(log(at(tls(pid=8)), at(to(pid=8)), at(tls())))
        reader.next_log()
        reading = reader.read(log(at(to()), BAD))
        assert [delivery.tls.security for delivery in reading.deliveries] == ["encrypted"]
        assert reading.unread[0].number == 2


def endless(size: int) -> Iterator[bytes]:
    """Yield pieces of a line without end."""
    for _ in range(size >> 20):
        yield b"postfix/smtp[1]: " + b"x" * ((1 << 20) - 17)


def test_line_without_end() -> None:
    """100 MB without a newline cost the memory of one piece, count as one unread line, and the next line is read."""
    reader = LogReader(SETTINGS)
    at = Clock()
    unread, rest = list[UnreadLine](), b""
    tracemalloc.start()
    for piece in endless(100 << 20):
        reading = reader.read(rest + piece)
        unread += reading.unread
        rest = (rest + piece)[reading.consumed :]
    reading = reader.read(rest + b"\n" + log(at(tls()), at(to())))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 << 20
    assert [(line.number, line.offset, line.reason) for line in unread] == [(1, 0, TOO_LONG)]
    assert (len(reading.deliveries), reading.lines) == (1, 3)


@pytest.mark.parametrize("length", [LINE_MAX - 1, LINE_MAX, LINE_MAX + 1, LINE_MAX * 3])
@pytest.mark.parametrize("cuts", [[], [100], [LINE_MAX + 1], [LINE_MAX, LINE_MAX + 1, LINE_MAX + 2]], ids=str)
def test_longest_line(length: int, cuts: list[int]) -> None:
    """A line of LINE_MAX bytes is read, a longer one is counted as unread, however it was cut."""
    data = b"x" * length + b"\n" + log(BAD)
    _, unread, lines = in_pieces(data, cuts)
    assert [line.reason == TOO_LONG for line in unread] == ([True, False] if length > LINE_MAX else [False])
    assert (unread[-1].number, unread[-1].offset, lines) == (2, length + 1, 2)


class TestHeld:
    """What waits at the end of a log."""

    def test_changes_nothing(self) -> None:
        """Asking what is held, with an unfinished last line, does not disturb the reading."""
        at = Clock()
        first, last = log(at(tls()), at(to()), at(to(QID2, pid=2))), log(at(tls(pid=3)), at(to("AAAAAA0001", pid=3)))
        asked, silent = LogReader(SETTINGS), LogReader(SETTINGS)
        asked.read(first)
        silent.read(first)
        assert len(asked.held(last[:-1])) == 2
        assert asked.held() == asked.held()
        assert asked.read(last) == silent.read(last)
        assert asked.carry() == silent.carry()

    def test_too_many_hosts(self) -> None:
        """Of a log of more hosts than any real one, no delivery is lost."""
        at = Clock()
        lines = []
        for number in range(HOSTS_LIMIT + 50):
            host = f"host{number}"
            lines += [at("master[1]: daemon started -- version 3.7.11", 0, host=host), at(to(), 0, host=host)]
        deliveries, _, _ = in_pieces(log(*lines), [])
        assert len(deliveries) == HOSTS_LIMIT + 50


class TestSettings:
    """What a log does not say about itself."""

    def test_internet(self) -> None:
        """Private networks can be made to count as internet, for what is held too."""
        at = Clock()
        data = log(
            at(tls("mx.lab[10.9.0.1]:25")),
            at(to(relay="mx.lab[10.9.0.1]:25")),
            at(to(QID2, "mx.lab[10.9.0.1]:25", pid=2)),
        )
        for networks, scope in (((), Scope.PRIVATE), ((ip_network("10.9.0.0/16"),), Scope.INTERNET)):
            reader = LogReader(ReadSettings(latest=SETTINGS.latest, internet=networks))
            assert {delivery.relay.scope for delivery in reader.read(data).deliveries + reader.held()} == {scope}


def damaged(state: Any, data: st.DataObject) -> Any:
    """Return a saved state with one of its values replaced."""
    if isinstance(state, dict) and state:
        key = data.draw(st.sampled_from(sorted(state)))
        return state | {key: damaged(state[key], data)}
    if isinstance(state, list) and state:
        index = data.draw(st.integers(0, len(state) - 1))
        return [*state[:index], damaged(state[index], data), *state[index + 1 :]]
    return data.draw(st.sampled_from([None, 7, "x", [], {}, [1], {"a": 1}]))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_damaged_carry(data: st.DataObject) -> None:
    """A damaged state is refused with the one error, or read; nothing else happens."""
    state = read_piece(CORPORA[0], None, SETTINGS)[1]
    with suppress(CarryError):
        LogReader(SETTINGS, damaged(state, data))


@pytest.mark.parametrize("state", ["x", 7, [], {}, {"version": 99}, True], ids=str)
def test_no_carry(state: object) -> None:
    """What is no state at all is refused."""
    with pytest.raises(CarryError):
        LogReader(SETTINGS, state)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(CORPORA), st.data())
def test_any_bytes(corpus: bytes, data: st.DataObject) -> None:
    """Real lines with bytes changed, lines dropped, doubled and out of order: no exception, and every line counted."""
    lines = corpus.split(b"\n")[:80]
    chosen = data.draw(st.lists(st.sampled_from(lines), max_size=25))
    text = bytearray(b"\n".join(chosen) + b"\n")
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(text) - 1), st.integers(0, 255)), max_size=12)):
        text[at] = value
    deliveries, _, count = in_pieces(bytes(text), [len(text) // 2])
    assert count == text.count(b"\n")
    assert all(delivery.time.tzinfo for delivery in deliveries)


@given(st.binary(max_size=400))
def test_noise(noise: bytes) -> None:
    """Any bytes at all."""
    in_pieces(noise, [len(noise) // 3])
