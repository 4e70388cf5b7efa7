"""Each delivery once: cuts, rotation, compression, copies, kills and competitors."""

import bz2
import gzip
import lzma
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.tlsmon.logs import contents, day, encrypted, ingest, line, logs, silent, total

from tlsmon.ingest.listeners import Listeners
from tlsmon.ingest.stop import Stop
from tlsmon.store.table import Table

cut_points = st.lists(st.floats(0, 1), min_size=1, max_size=4)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return where a store may be."""
    return tmp_path / "store"


def whole(tmp_path: Path, text: bytes) -> object:
    """Return the rows of a log that is ingested at once, in a folder of its own."""
    folder = tmp_path / "whole"
    folder.mkdir(parents=True)
    log = folder / "any.log"
    log.write_bytes(text)
    ingest(folder / "store", log)
    return contents(folder / "store")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=logs(), cuts=cut_points)
def test_growing_in_pieces_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, text: bytes, cuts: list[float]
) -> None:
    """A log that is ingested whenever it has grown, cut in the middle of lines, gives the rows of one ingest."""
    folder = tmp_path_factory.mktemp("grow")
    log, store = folder / "mail.log", folder / "store"
    for end in (*sorted(int(cut * len(text)) for cut in cuts), len(text)):
        log.write_bytes(text[:end])
        ingest(store, log)
        assert ingest(store, log).new_deliveries == 0
    assert whole(folder, text) == contents(store)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=logs(),
    cuts=cut_points,
    compress=st.booleans(),
    one_call=st.booleans(),
    missed=st.sets(st.integers(1, 4)),
)
def test_rotation_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    text: bytes,
    cuts: list[float],
    *,
    compress: bool,
    one_call: bool,
    missed: set[int],
) -> None:
    """
    A log that is rotated, perhaps compressed, gives the rows of one ingest of it all.

    Either all files are ingested in one call, or the current one now and then, with half of it there; some files come
    and go without being ingested.
    """
    folder = tmp_path_factory.mktemp("rotate")
    store, log = folder / "store", folder / "mail.log"
    for number, part in enumerate(_at_lines(text, cuts)):
        _rotate(folder, compress=compress)
        log.write_bytes(part[: max(len(part) // 2, part.index(b"\n") + 1)])
        _age(folder)
        if not one_call and number not in missed:
            ingest(store, log)
        log.write_bytes(part)
        _age(folder)
    names = folder.glob("mail.log*") if one_call else [log]
    ingest(store, *sorted(names))
    assert whole(folder, text) == contents(store)


def _at_lines(text: bytes, cuts: list[float]) -> list[bytes]:
    """Cut a log into parts of whole lines, none of them empty."""
    lines = text.splitlines(keepends=True)
    ends = sorted({int(cut * len(lines)) for cut in cuts} | {0, len(lines)})
    return [b"".join(lines[begin:end]) for begin, end in pairwise(ends)]


def _rotate(folder: Path, *, compress: bool) -> None:
    for path in sorted(folder.glob("mail.log*"), key=_number, reverse=True):
        number = _number(path)
        if compress and path.suffix != ".gz":
            (folder / f"mail.log.{number + 1}.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
            path.unlink()
        else:
            path.rename(folder / f"mail.log.{number + 1}{'.gz' if path.suffix == '.gz' else ''}")


def _number(path: Path) -> int:
    return int([*path.name.split("."), "0"][2])


def _age(folder: Path) -> None:
    """Give all logs the time of a real one: they are not older than their lines."""
    for path in folder.glob("mail.log*"):
        os.utime(path, (1_796_000_000, 1_796_000_000))


def test_names_and_copies_change_nothing(tmp_path: Path, store: Path) -> None:
    """A log under another name, compressed, or a shorter older copy adds nothing; a copy that goes on adds the rest."""
    text = day(200)
    log = tmp_path / "mail.log"
    log.write_bytes(text)
    report = ingest(store, log)
    assert [report.deliveries, report.new_deliveries, total(store)] == [200] * 3
    before = contents(store)
    (tmp_path / "mail.log.1").write_bytes(text)
    (tmp_path / "copy.gz").write_bytes(gzip.compress(text))
    (tmp_path / "older").write_bytes(text[:3001])
    (tmp_path / "tiny").write_bytes(text[:220])
    for name in ("mail.log.1", "copy.gz", "older", "tiny", "mail.log"):
        assert ingest(store, tmp_path / name).new_deliveries == 0, name
    assert before == contents(store)
    (tmp_path / "copy.gz").write_bytes(gzip.compress(text + encrypted(2000, 7, 777)))
    assert ingest(store, tmp_path / "copy.gz").new_deliveries == 1
    assert ingest(store, tmp_path / "mail.log").new_deliveries == 0


def test_same_first_line_other_log(tmp_path: Path, store: Path) -> None:
    """A log that begins with a known line and goes on in another way is a log of its own, and stays known."""
    head = line(0, "daemon started -- version 3.7.11, configuration /etc/postfix", 1, "postfix/master")
    (tmp_path / "a.log").write_bytes(head + day(20, seed=1))
    (tmp_path / "b.log").write_bytes(head + day(30, seed=2))
    assert ingest(store, tmp_path / "a.log").new_deliveries == 20
    assert ingest(store, tmp_path / "b.log").new_deliveries == 30
    assert ingest(store, tmp_path / "a.log", tmp_path / "b.log").new_deliveries == 0


def test_rest_of_a_rotated_log_is_found(tmp_path: Path, store: Path) -> None:
    """What was added to a log before its rotation is read although only the new log is named."""
    log = tmp_path / "mail.log"
    log.write_bytes(day(10))
    ingest(store, log)
    log.write_bytes(day(30))
    log.rename(tmp_path / "mail.log.1")
    log.write_bytes(encrypted(4000) + silent(4010) + encrypted(4020, 2, 300))
    report = ingest(store, log)
    assert (report.new_deliveries, report.warnings) == (23, [])
    assert total(store) == 33


def test_lost_rest_of_a_rotated_log_is_told(tmp_path: Path, store: Path) -> None:
    """Where the log before cannot be found, that is said, and what is there is read; the rest can follow later."""
    log = tmp_path / "mail.log"
    log.write_bytes(day(10))
    ingest(store, log)
    (tmp_path / "elsewhere").write_bytes(day(30))
    log.write_bytes(encrypted(4000))
    report = ingest(store, log)
    assert report.new_deliveries == 1
    assert "is not in the same folder any more" in report.warnings[0]
    assert ingest(store, tmp_path / "elsewhere").new_deliveries == 20
    assert ingest(store, tmp_path / "elsewhere", log).new_deliveries == 0


def test_state_is_handed_over_once(tmp_path: Path, store: Path) -> None:
    """What a log left open is settled by the log after it; when the rest of the older one turns up, it is not again."""
    log = tmp_path / "mail.log"
    left_open = encrypted(0) + silent(100)
    log.write_bytes(left_open)
    ingest(store, log)
    log.write_bytes(encrypted(1000, 2, 300))
    ingest(store, log)
    (tmp_path / "elsewhere").write_bytes(left_open + encrypted(150, 3, 400))
    assert ingest(store, tmp_path / "elsewhere").new_deliveries == 1
    assert [row.span.deliveries for row in contents(store)] == [1] * 4


def test_session_crosses_the_rotation(tmp_path: Path, store: Path) -> None:
    """A session that began before the rotation is known after it."""
    both = encrypted(0, 1) + encrypted(10, 3)
    cut = both.rindex(b"\n", 0, len(both) - 1) + 1
    (tmp_path / "mail.log.1").write_bytes(both[:cut])
    (tmp_path / "mail.log").write_bytes(both[cut:])
    ingest(store, tmp_path / "mail.log", tmp_path / "mail.log.1")
    assert {"encrypted"} == {row.key.security for row in contents(store)}


@pytest.mark.parametrize("between", [None, b"", gzip.compress(day(3000))[:-100]])
@pytest.mark.parametrize("calls", [1, 2])
def test_log_that_is_missing_between(tmp_path: Path, store: Path, between: bytes | None, calls: int) -> None:
    """Where a log is missing between two, or breaks off, what it may have held is not taken for absent."""
    crossing = encrypted(30_000, 77)
    cut = crossing.rindex(b"\n", 0, len(crossing) - 1) + 1
    first, second, third = (tmp_path / name for name in ("mail.log.2", "mail.log.1", "mail.log"))
    first.write_bytes(encrypted(0, 1) + encrypted(10, 1))
    if between is not None:
        second = second if not between else tmp_path / "mail.log.1.gz"
        second.write_bytes(between or crossing[:cut])
    third.write_bytes(crossing[cut:] + encrypted(30_100, 4))
    logs = [log for log in (first, second, third) if log.exists()]
    for group in [logs] if calls == 1 else [logs[:1], logs[1:]]:
        ingest(store, *group)
    (one,) = (row.key.security for row in contents(store) if row.key.mx_host == "mx77.example.org")
    assert one == ("encrypted" if between == b"" else "unknown")


@pytest.mark.parametrize(("hours", "expected"), [(5, "plaintext"), (7, "unknown")])
def test_silence_between_dated_logs(tmp_path: Path, store: Path, hours: int, expected: str) -> None:
    """Dates do not tell whether a log is missing; a long silence may mean it."""
    first, second = tmp_path / "mail.log-20261120", tmp_path / "mail.log"
    begin = hours * 3600
    first.write_bytes(encrypted(0, 1) + encrypted(10, 1))
    second.write_bytes(silent(begin, 77) + encrypted(begin + 100, 4))
    ingest(store, first, second)
    (one,) = (row.key.security for row in contents(store) if row.key.mx_host == "mx77.example.org")
    assert one == expected


def test_unfinished_last_line_of_a_rotated_log_counts(tmp_path: Path, store: Path) -> None:
    """The last line of a log that another one follows is whole even without a line end."""
    (tmp_path / "mail.log.1").write_bytes(encrypted(0)[:-1])
    (tmp_path / "mail.log").write_bytes(encrypted(3600, 2))
    assert ingest(store, tmp_path / "mail.log.1").new_deliveries == 1
    assert ingest(store, *tmp_path.glob("mail.log*")).new_deliveries == 1
    assert ingest(store, *tmp_path.glob("mail.log*")).new_deliveries == 0
    assert total(store) == 2


def test_cut_off_file_keeps_what_could_be_read(tmp_path: Path, store: Path) -> None:
    """A compressed log that ends too early gives what it holds and a problem; the complete one then adds the rest."""
    packed = gzip.compress(day(3000))
    log = tmp_path / "mail.log.gz"
    log.write_bytes(packed[: len(packed) // 2])
    report = ingest(store, log)
    assert "ends too early" in report.problems[0]
    assert 0 < total(store) < 3000
    log.write_bytes(packed)
    assert ingest(store, log).problems == []
    assert total(store) == 3000


def test_stop_between_pieces(tmp_path: Path, store: Path) -> None:
    """After a request to stop nothing more is read, and nothing is handed over from a log to the next."""
    (tmp_path / "mail.log.1").write_bytes(day(100))
    (tmp_path / "mail.log").write_bytes(encrypted(4000))
    stop = Stop()
    stop.request()
    assert ingest(store, *tmp_path.glob("mail.log*"), listeners=Listeners(stop=stop)).new_deliveries == 0
    assert ingest(store, *tmp_path.glob("mail.log*")).new_deliveries == 101


def test_compaction_disturbs_nothing(tmp_path: Path, store: Path) -> None:
    """Many small commits become few files; rows and positions stay."""
    log = tmp_path / "mail.log"
    text = b"".join(encrypted(number * 10, number % 7) for number in range(70))
    lines = text.splitlines(keepends=True)
    for end in range(2, len(lines) + 1, 2):
        log.write_bytes(b"".join(lines[:end]))
        ingest(store, log)
    files = Table.open(str(store)).query("SELECT COUNT(*) AS n FROM rows").to_pylist()
    assert files[0]["n"] > 0
    assert ingest(store, log).new_deliveries == 0
    assert total(store) == 70
    active = [add for add in os.listdir(store) if add.endswith(".parquet")]  # noqa: PTH208
    assert len(active) > 64
    assert whole(tmp_path, text) == contents(store)


INGEST = "import sys; from tests.tlsmon.logs import ingest; from pathlib import Path; ingest(*map(Path, sys.argv[1:]))"


def start(store: Path, *names: Path) -> subprocess.Popen[bytes]:
    """Start an ingest in a process of its own."""
    root = Path(__file__).parents[3]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(str(root / part) for part in (".", "src", "parsers"))}
    return subprocess.Popen([sys.executable, "-c", INGEST, *map(str, (store, *names))], env=environment)


def test_kill_at_any_moment(tmp_path: Path, store: Path) -> None:
    """After kill -9 at random moments the next runs complete the table: nothing lost, nothing twice."""
    parts = [day(1500, seed) for seed in (1, 100)]
    (tmp_path / "mail.log.1").write_bytes(parts[0])
    (tmp_path / "mail.log").write_bytes(b"".join(encrypted(20_000 + n, n % 9) for n in range(1500)))
    names = sorted(tmp_path.glob("mail.log*"))
    random.seed(7)
    process = start(store, *names)
    began = time.monotonic()
    process.wait()
    needed = time.monotonic() - began
    expected = contents(store)
    for number in range(12):
        fresh = tmp_path / f"store{number}"
        for _ in range(2):
            victim = start(fresh, *names)
            time.sleep(random.uniform(0.3, 1.0) * needed)
            victim.send_signal(signal.SIGKILL)
            victim.wait()
        ingest(fresh, *names)
        assert expected == contents(fresh), number


def test_two_at_once(tmp_path: Path, store: Path) -> None:
    """Processes that ingest the same growing logs into one store at the same time count everything once."""
    logs_ = [tmp_path / "mail.log.1", tmp_path / "mail.log"]
    logs_[0].write_bytes(day(800))
    logs_[1].write_bytes(b"".join(encrypted(20_000 + n, n % 9) for n in range(800)))
    processes = [start(store, *logs_) for _ in range(4)]
    assert {process.wait() for process in processes} == {0}
    assert total(store) == 1600
    ingest(tmp_path / "alone", *logs_)
    assert contents(tmp_path / "alone") == contents(store)


def zstd(text: bytes) -> bytes:
    """Return the text as `zstd` writes it, with a checksum at the end."""
    return zstandard.ZstdCompressor(write_checksum=True).compress(text)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstd], ids=["gz", "bz2", "xz", "zst"])
def test_damaged_file_counts_nothing(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """A flipped bit turns text into other text long before the checksum tells: none of it counts, a good copy does."""
    text = day(1500)
    packed = pack(text)
    draw = random.Random(11)
    for number in range(6):
        store, log = tmp_path / str(number), tmp_path / "mail.log.packed"
        damaged = bytearray(packed)
        damaged[draw.randrange(300, len(packed) - 8)] ^= 1 << draw.randrange(8)
        log.write_bytes(damaged)
        report = ingest(store, log)
        assert (report.new_deliveries, total(store)) == (0, 0)
        assert len(report.problems) == 1
        log.write_bytes(packed)
        assert ingest(store, log).new_deliveries == 1500


def test_damaged_file_is_found_before_a_commit_in_between(tmp_path: Path, store: Path) -> None:
    """Where much comes together, the file is checked before the first commit, not after it."""
    log = tmp_path / "mail.log.gz"
    packed = bytearray(gzip.compress(day(3000)))
    packed[-6] ^= 1  # the checksum
    log.write_bytes(packed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tlsmon.ingest.one.GROUPS_LIMIT", 1)
        assert "may be wrong, too" in ingest(store, log).problems[0]
    assert total(store) == 0


def test_the_same_mail_in_two_logs_is_told(store: Path, tmp_path: Path) -> None:
    """A logger may write mail to a log of its own and to the log of everything; a copy is no other log."""
    mail, everything = tmp_path / "mail.log", tmp_path / "syslog"
    mail.write_bytes(day(60))
    everything.write_bytes(b"Nov 20 09:00:00 mail cron[1]: something\n" + day(60))
    copied = tmp_path / "copy.log"
    copied.write_bytes(day(60))
    assert ingest(store, mail, copied).warnings == []
    for names in ((mail, everything), (everything, mail)):  # also when nothing is new
        (warning,) = ingest(store, *names).warnings
        assert "holds the same mail as" in warning
    assert ingest(tmp_path / "other", everything).warnings == []
