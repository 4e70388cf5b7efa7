"""The fast lane says what the slow way says, whatever the log and wherever it is cut."""

import re
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from itertools import accumulate, chain
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.maillog.exim.lane_texts import CAME, COMMON, IDS, MX, OK, OTHERS, RT, SENT, WITHOUT_ID, X13
from tests.maillog.exim.test_hostile import CRAFTED, DECOYS, HOSTILE
from tests.maillog.ways import Told, counted, told

from maillog import LogReader, ReadSettings, Security
from maillog.counts import Counts
from maillog.damage import LINE_MAX
from maillog.exim.lane import EximLane

SAMPLES = sorted(Path("sample_logs").glob("*exim*/*log"))
BERLIN = ZoneInfo("Europe/Berlin")
SETTINGS = ReadSettings(
    zone=BERLIN,
    latest=datetime(2026, 12, 1, tzinfo=UTC),
    host="relay.example.org",
    internet=(ip_network("10.0.0.0/8"),),
)
# Ten minutes before the hour that comes twice.
BEGIN = 1_792_885_800

_ID = re.compile(r"\d\S{5}-\S{6,11}-\S{2,4} ")
_FRAME = re.compile(r"(?:.{15} mail exim\[\d+\]: )?(?=(?:\[\d/\d\] )?.{19} )")
_STAMPED = re.compile(r"^((?:\[\d/\d\] )?)\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")


def sample_texts() -> list[str]:
    """Return what real Exims wrote, without frame and queue id."""
    lines = [line for log in SAMPLES for line in log.read_text("utf-8").splitlines()]
    texts = (_STAMPED.sub(r"\1", _FRAME.sub("", line, count=1)) for line in lines)
    return sorted({_ID.sub("{} ", text.replace("{", "(").replace("}", ")"), count=1) for text in texts})


class Line(NamedTuple):
    """A line to be."""

    ahead: int
    """Seconds since the line before."""
    frame: str | None
    """None: that of the log."""
    text: str


FRAMES = ("main", "pid", "zone", "syslog", "tag")


def framed(frame: str, at: float, text: str) -> str:
    """Return a line as it stands in a log."""
    when = datetime.fromtimestamp(at, BERLIN)
    own = f"{when:%Y-%m-%d %H:%M:%S}"
    bsd = f"{when:%b} {when.day:2} {when:%H:%M:%S}"
    return {
        "main": f"{own} {text}",
        "pid": f"{own} [77] {text}",
        "zone": f"{own}.250 {when:%z} {text}",
        "syslog": f"{bsd} mail exim[77]: {own} {text}",
        "tag": f"{when.isoformat()} mail exim4: {own} {text}",
        "unstamped": f"{bsd} mail exim[77]: {text}",
        "impossible": f"2026-02-31 10:00:00 {text}",
        "no date": f"Foo 31 10:00:00 mail exim[77]: {own} {text}",
        "part": f"{bsd} mail exim[77]: [1/2] {own} {text}",
        "last part": f"{bsd} mail exim[77]: [2/2] {text}",
        "postfix": f"{bsd} mail postfix/smtpd[7]: connect from x[192.0.2.1] {text}",
        "other": f"{bsd} mail other[7]: {text}",
        "return": f"{own} {text}\r",
    }[frame]


def log_of(some: list[Line], frame: str) -> bytes:
    """Return the text of a log."""
    times = accumulate((line.ahead for line in some), initial=BEGIN)
    next(times)
    lines = (f"{framed(line.frame or frame, at, line.text)}\n" for at, line in zip(times, some, strict=True))
    return "".join(lines).encode("utf-8", "surrogateescape")


def slowly(text: bytes, cuts: list[int]) -> Told:
    """Read a log without the lane."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("maillog.reader.exim_head_of", lambda *_: None)
        return told(text, cuts, SETTINGS)


def check(text: bytes, cuts: list[int]) -> None:
    """Hold listed, counted and slowly read against each other."""
    slow = slowly(text, [])
    assert told(text, [], SETTINGS) == slow
    assert told(text, cuts, SETTINGS) == slowly(text, cuts)
    sums = Counts()
    sums.add(slow.found)
    counts, unread, carry = counted(text, cuts, SETTINGS)
    assert counts.groups == sums.groups
    assert (unread, carry) == (slow.unread, slow.carry)


_frames = st.sampled_from(FRAMES)
_ids = st.sampled_from(IDS)
_texts = st.one_of(
    *[st.builds("{} {}".format, _ids, st.sampled_from(COMMON))] * 4,
    st.builds("{} {}".format, _ids, st.sampled_from(SENT)),
    st.builds("{} {}".format, _ids, st.sampled_from(CAME)),
    st.builds("{} {}".format, _ids, st.sampled_from(OTHERS)),
    st.builds(str.format, st.sampled_from(sample_texts()), _ids),
    st.sampled_from(WITHOUT_ID),
)
_odd = (*FRAMES, "unstamped", "impossible", "no date", "part", "last part", "postfix", "other", "return")
_lines = st.builds(
    Line,
    st.sampled_from([0, 0, 0, 0, 1, 1, 2, 20, 45, 61, 400, 3000, -2, -400]),
    st.one_of(*[st.none()] * 15, st.sampled_from(_odd)),
    _texts,
)
_cuts = st.lists(st.integers(0, 10_000), max_size=4)


@settings(deadline=None, max_examples=300)
@given(st.lists(_lines, min_size=1, max_size=40), _frames, _cuts)
def test_the_lane_says_what_the_slow_way_says(some: list[Line], frame: str, cuts: list[int]) -> None:
    """Deliveries, counts, unread lines and the state that is carried on are the same with and without the lane."""
    check(log_of(some, frame), cuts)


_common = st.builds(
    Line,
    st.sampled_from([0, 0, 0, 0, 1, 2, 30, 61, 1800]),
    st.none(),
    st.builds(
        "{} {}".format,
        _ids,
        st.one_of(*[st.sampled_from(COMMON)] * 6, st.sampled_from([*OTHERS, *SENT[:12]])),
    )
    | st.sampled_from(WITHOUT_ID[:3]),
)


# Few lines of few messages, most of them sent to one host: what is taken together, and what must not be.
_close = st.builds(
    Line,
    st.sampled_from([0, 0, 0, 0, 0, 1, 61, 400]),
    st.none(),
    st.builds(
        "1tAb{:02}-0000xx-1A {}".format,
        st.sampled_from([1, 1, 1, 2, 2, 3, 4]),
        st.sampled_from(
            [
                *["Completed"] * 6,
                *[f"=> u@a.example {RT} {MX} {X13} CV=yes {OK}"] * 4,
                f"-> v@b.example {RT} {MX} {X13} CV=yes {OK}",
                f"=> u@a.example {RT} H=mx2.a.example [198.51.100.2] {X13} CV=no {OK}",
                f"=> u@a.example {RT} {MX} {OK}",
                f"== u@a.example {RT} defer (-37) {MX}: TLS session: (gnutls_handshake): x",
                "** u@a.example: retry timeout exceeded",
                "H=mx2.a.example [198.51.100.2] Connection timed out",
                *[f"=> u@a.example {RT} {MX}* {X13} CV=yes {OK}", OTHERS[6]],
            ]
        ),
    ),
)


@settings(deadline=None, max_examples=300)
@given(
    st.one_of(st.lists(_common, min_size=1, max_size=60), st.lists(_close, min_size=2, max_size=15)),
    _frames,
    _cuts,
    st.sampled_from([None, 1, 2, 3]),
)
def test_common_lines_in_any_order(some: list[Line], frame: str, cuts: list[int], limit: int | None) -> None:
    """What the lane handles by itself is what the slow way makes of it, also where there is too much of something."""
    with pytest.MonkeyPatch.context() as patch:
        limits = "deliveries.RUNS_LIMIT", "deliveries.HELD_LIMIT", "quiet.QUIET_LIMIT", "lane._PHRASES_LIMIT"
        for name in limits if limit else ():
            patch.setattr(f"maillog.exim.{name}", limit)
        check(log_of(some, frame), cuts)


@pytest.mark.parametrize(
    "stamps",
    [
        ("2026-10-25 01:00:00", "2026-10-25 01:00:01"),
        ("2026-10-25 01:00:00 +0200", "2026-10-25 01:00:00 +0100"),
        ("2026-10-25 01:00:00.100", "2026-10-25 01:00:00.200"),
        ("Oct 25 01:00:00 mail exim: 2026-10-25 01:00:00", "Oct 25 02:00:00 mail exim: 2026-10-25 01:00:00"),
        ("Oct 25 01:00:00 mail exim: 2026-10-25 01:00:00", "Oct 25 01:00:00 mail exim: 2026-10-25 01:00:01"),
    ],
)
def test_an_end_has_a_time_of_its_own(stamps: tuple[str, str]) -> None:
    """The end of a message is not taken to be as old as the delivery before it."""
    first, second = stamps
    text = f"{first} {IDS[0]} {COMMON[3]}\n{second} {IDS[0]} Completed\n".encode()
    assert read_alone(text) == []
    check(text, [])


def test_a_full_memory_lets_the_oldest_message_go() -> None:
    """A message that is completed at once takes a place for a moment."""
    sent = [Line(0, None, f"{queue_id} {COMMON[3]}") for queue_id in IDS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("maillog.exim.deliveries.RUNS_LIMIT", 2)
        check(log_of([*sent, Line(0, None, f"{IDS[2]} Completed")], "main"), [])
        check(log_of(sent, "main"), [])


def test_another_host_that_was_reached_makes_the_certificate_doubtful() -> None:
    """What a line about a host tells counts for deliveries that all say the same."""
    texts = (COMMON[3], COMMON[3], OTHERS[6], "Completed")
    text = log_of([Line(0, None, f"{IDS[0]} {each}") for each in texts], "main")
    assert {each.tls.authentication for each in told(text, [], SETTINGS).found} == {None}
    check(text, [])


def test_what_was_noted_minutes_before_is_known_when_the_mail_is_sent() -> None:
    """Also where the mail is completed at once: its cipher may be that of the host before."""
    some = [(0, 0, OTHERS[6]), (100, 1, "Completed"), (400, 0, COMMON[3]), (0, 0, "Completed")]
    text = log_of([Line(seconds, None, f"{IDS[number]} {each}") for seconds, number, each in some], "main")
    assert [each.tls.security for each in told(text, [], SETTINGS).found] == [Security.UNKNOWN]
    check(text, [])


def test_what_failed_before_is_forgotten_with_success() -> None:
    """Also where the mail is completed at once."""
    some = [Line(0, None, f"{IDS[number]} {text}") for number, text in ((0, OTHERS[0]), (1, COMMON[3]))]
    check(log_of([*some, Line(0, None, f"{IDS[1]} Completed")], "main"), [])


_hostile = (*DECOYS.values(), *HOSTILE.values())
_each = tuple(dict.fromkeys((*COMMON, *SENT, *CAME, *OTHERS, *_hostile)))


@pytest.mark.parametrize("text", _each, ids=range(len(_each)))
def test_each_line_beside_each_other(text: str) -> None:
    """Nothing that one line teaches the lane makes it read another one wrongly, in whatever order they come."""
    texts = [*COMMON, *SENT, *CAME, *_hostile]
    some = [Line(1, None, f"1tAb{number % 60:02}-0000xx-1A {each}") for number, each in enumerate([text, *texts, text])]
    check(log_of(some, "main"), [])
    ends = [Line(0, None, f"{line.text[:16]} Completed") for line in some]
    check(log_of(list(chain.from_iterable(zip(some, ends, strict=True))), "main"), [])
    check(log_of(some[::-1], "main"), [])


@pytest.mark.parametrize("between", ["=> u <u@a.example> R=local T=mail_spool", OTHERS[0]])
def test_a_stamp_is_read_anew_behind_a_line_of_others(between: str) -> None:
    """In the hour that comes twice a time depends on what came before."""
    common = f"{IDS[0]} {COMMON[0]}"
    some = [Line(1800, None, common), Line(600, None, f"{IDS[1]} {between}"), Line(-600, None, common)]
    text = log_of(some, "main")
    check(text, [])
    first, last = (each.time for each in told(text, [], SETTINGS).found if each.queue_id == IDS[0])
    assert last - first == timedelta(hours=1)


_SLOW = (
    "=> " + "a" * LINE_MAX,
    "=> a@b" + " R=x" * LINE_MAX,
    "=> a@b R=x" + ' DN="' * LINE_MAX,
    '=> a@b R=x C="' + '\\"' * LINE_MAX,
    '=> a@b R=x C="x"' + " QT=1" * LINE_MAX,
    "<= a@b H=(" + "x" * LINE_MAX,
    "<= a@b H=x [192.0.2.1] P=esmtp" + " L" * LINE_MAX,
)


@pytest.mark.parametrize("text", [*CRAFTED.values(), *_SLOW], ids=range(len(CRAFTED) + len(_SLOW)))
def test_time_is_linear_in_the_length(text: str) -> None:
    """A line made to be slow is not."""
    line = f"{IDS[0]} {text}"[: LINE_MAX - 100]
    log = log_of([Line(0, None, f"{IDS[0]} Completed"), Line(0, None, line)], "main")
    begin = time.perf_counter()
    LogReader(SETTINGS).read(log)
    assert time.perf_counter() - begin < 5


@pytest.mark.parametrize("log", SAMPLES, ids=lambda log: log.parent.name)
@pytest.mark.parametrize("size", [1 << 20, 7777])
def test_samples(log: Path, size: int) -> None:
    """What real Exims wrote is read alike, in one piece and in many."""
    text = log.read_bytes()
    check(text, list(range(0, len(text), size)))


def read_alone(text: bytes) -> list[str]:
    """Return the lines of the lane's that it did not read by itself."""
    alone: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        init = EximLane.__init__

        def noted(self: EximLane, head: Any, reader: Any, framer: Any, read: Any) -> None:
            def note(line: str, found: Any) -> Any:
                alone.append(line)
                return read(line, found)

            init(self, head, reader, framer, note)

        patch.setattr(EximLane, "__init__", noted)
        LogReader(SETTINGS).read(text)
    return alone


@pytest.mark.parametrize("frame", FRAMES)
def test_the_common_lines_take_the_lane(frame: str) -> None:
    """A log of common lines is not read in the slow way, whatever frame it has."""
    some = [Line(1, None, f"{IDS[number % 3]} {text}") for number, text in enumerate(COMMON * 3)]
    text = log_of(some, frame)
    assert len(told(text, [], SETTINGS).found) > 20
    assert read_alone(text) == []


@pytest.mark.parametrize("log", SAMPLES, ids=lambda log: log.parent.name)
def test_most_lines_of_real_logs_take_the_lane(log: Path) -> None:
    """Nearly all arrivals from the network and remote deliveries are common ones."""
    text = log.read_bytes()
    begun = Counter(re.findall(r" (=>|->|<=|Completed)[ \n]", text.decode()))
    alone = [line for line in read_alone(text) if " H=" in line]
    assert sum(begun.values()) > 100
    assert len(alone) < sum(begun.values()) / 50
