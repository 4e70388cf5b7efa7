"""Bytes in: any log that can be read is read whole, once, in bounded memory; anything else is explained."""

import bz2
import gzip
import io
import lzma
import os
import threading
import tracemalloc
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from maillog.errors import UnreadableSourceError
from maillog.sources import (
    FIRST_LINE_LIMIT,
    Log,
    first_line,
    open_log,
)
from maillog.sources.decompress import gzip_written

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
YEAR_2020 = 1577836800
LINE = b"Nov  1 00:00:01 mx postfix/smtp[42]: 4F2A: to=<x@example.org>, relay=none, status=deferred (%d)\n"
TEXT = b"".join(LINE % number for number in range(3000))


def zstd(data: bytes) -> bytes:
    """Return one frame with a checksum and several blocks."""
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
}


def unbounded(kind: str, data: bytes) -> bytes:
    """Return what the decoder of the standard library gets out of the start of a compressed file, all at once."""
    if kind == "gzip":
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(data)
    return (bz2.BZ2Decompressor() if kind == "bzip2" else lzma.LZMADecompressor()).decompress(data)


every_compression = pytest.mark.parametrize("kind", PACK)


def now() -> datetime:
    """Return the time at which these tests happen."""
    return NOW


def stored(folder: Path, data: bytes, name: str = "mail.log") -> str:
    """Write a log and return its name."""
    path = folder / name
    path.write_bytes(data)
    return str(path)


def text_of(log: Log, start: int = 0, size: int = 1 << 22) -> tuple[bytes, str | None]:
    """Return all that a log gives, and what it complains about at the end."""
    text = b""
    try:
        for piece in log.pieces(start, size):
            assert 0 < len(piece) <= size
            text += piece
    except UnreadableSourceError as error:
        return text, str(error)
    return text, None


class TestReading:
    """What is in a file comes out of it."""

    @every_compression
    @pytest.mark.parametrize("size", [1, 7, 4096, 1 << 22])
    @pytest.mark.parametrize("start", [0, 1, 100, len(TEXT), len(TEXT) + 1])
    def test_same_text_for_every_compression(self, tmp_path: Path, kind: str, size: int, start: int) -> None:
        """The text from any offset is that of the uncompressed file, whatever the size of the pieces."""
        text = TEXT[:500] if size < 10 else TEXT
        with open_log(stored(tmp_path, PACK[kind](text), "any.name")) as log:
            assert text_of(log, start, size) == (text[start:], None)
            assert not log.plain

    @pytest.mark.parametrize("start", [0, 1, 12345, len(TEXT), len(TEXT) + 1])
    def test_plain(self, tmp_path: Path, start: int) -> None:
        """A plain file is sought, can be read again, and knows its size."""
        with open_log(stored(tmp_path, TEXT, "mail.log.gz")) as log:
            assert (log.plain, log.size) == (True, len(TEXT))
            assert text_of(log, start, 1000) == text_of(log, start) == (TEXT[start:], None)

    @every_compression
    def test_members_and_padding(self, tmp_path: Path, kind: str) -> None:
        """Members one behind the other are one text, empty ones and zeros between them included."""
        pack = PACK[kind]
        middle = b"" if kind == "zstd" else b"\0" * 512
        data = pack(TEXT) + pack(b"") + middle + pack(b"second\n") + middle
        with open_log(stored(tmp_path, data)) as log:
            assert text_of(log) == (TEXT + b"second\n", None)

    def test_zstd_skippable_and_streamed_frames(self, tmp_path: Path) -> None:
        """Frames without a size or checksum are read, and skippable frames (pzstd, RFC 8878 3.1.2) passed over."""
        pressed = zstandard.ZstdCompressor(level=19).compressobj()
        streamed = pressed.compress(TEXT) + pressed.flush()
        skipped = b"\x5a\x2a\x4d\x18" + (100_000).to_bytes(4, "little") + b"x" * 100_000
        zeros = b"\0" * 300_000 + b"\n"  # blocks of the RLE kind
        with open_log(stored(tmp_path, skipped + streamed + skipped + zstd(zeros))) as log:
            assert text_of(log) == (TEXT + zeros, None)

    def test_empty(self, tmp_path: Path) -> None:
        """An empty file is a log without lines."""
        with open_log(stored(tmp_path, b"")) as log:
            assert (text_of(log), first_line(log), log.size) == ((b"", None), None, 0)

    def test_growth_and_rotation_while_open(self, tmp_path: Path) -> None:
        """What is appended after the opening is read; what takes the name meanwhile is not."""
        name = stored(tmp_path, b"one\n")
        with open_log(name) as log:
            with Path(name).open("ab") as file:
                file.write(b"two\n")
            Path(name).rename(tmp_path / "mail.log.1")
            stored(tmp_path, b"another\n")
            assert text_of(log) == (b"one\ntwo\n", None)

    @given(data=st.binary(max_size=2000), kind=st.sampled_from(sorted(PACK)), size=st.integers(1, 3000))
    @settings(max_examples=60, deadline=None)
    def test_any_bytes(self, tmp_path_factory: pytest.TempPathFactory, data: bytes, kind: str, size: int) -> None:
        """Any content survives compression."""
        with open_log(stored(tmp_path_factory.getbasetemp(), PACK[kind](data), "any")) as log:
            assert text_of(log, 0, size) == (data, None)


class TestDamage:
    """Everything that can be read comes first, then an error that says where it ends."""

    @every_compression
    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 1.0])
    def test_cut_off(self, tmp_path: Path, kind: str, share: float) -> None:
        """A cut-off file is never taken for a complete one, not even where the last byte is missing."""
        data = PACK[kind](TEXT)
        with open_log(stored(tmp_path, data[: int(len(data) * share) - 1])) as log:
            text, error = text_of(log)
        assert TEXT.startswith(text)
        assert error == (
            f"{log.name}: the {kind} data ends too early, after {len(text)} bytes of text. The text before that was "
            f"read. Test the file with {kind} -t, get a complete copy and read it again."
        )

    @pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz"])
    @pytest.mark.parametrize("content", [TEXT, bytes(200_000)], ids=["text", "zeros"])
    def test_cut_off_loses_nothing(self, tmp_path: Path, kind: str, content: bytes) -> None:
        """Reading in bounded steps gives all that a decoder without bounds can get out of a cut-off file."""
        data = PACK[kind](content)
        for cut in range(20, len(data), max(len(data) // 50, 1)):
            with open_log(stored(tmp_path, data[:cut])) as log:
                text, _ = text_of(log)
            assert content.startswith(text)
            assert text.startswith(unbounded(kind, data[:cut]))

    @every_compression
    def test_cut_off_in_second_member(self, tmp_path: Path, kind: str) -> None:
        """All complete members are given before a cut."""
        data = PACK[kind](TEXT) + PACK[kind](TEXT)[:-5]
        with open_log(stored(tmp_path, data)) as log:
            text, error = text_of(log)
        assert len(text) >= len(TEXT)
        assert "ends too early" in str(error)

    @every_compression
    def test_wrong_checksum(self, tmp_path: Path, kind: str) -> None:
        """Damage is said, and costs at most one step before it."""
        data = bytearray(PACK[kind](TEXT))
        data[len(data) // 2] ^= 0xFF
        with open_log(stored(tmp_path, bytes(data))) as log:
            text, error = text_of(log)
        assert f"the {kind} data cannot be read (" in str(error)
        assert f"after {len(text)} bytes" in str(error)

    @pytest.mark.parametrize("kind", ["gzip", "xz"])
    def test_damage_costs_one_step(self, tmp_path: Path, kind: str) -> None:
        """A broken trailer leaves all but the last 16 KiB."""
        data = PACK[kind](TEXT)
        with open_log(stored(tmp_path, data[:-8] + b"\xff" * 8)) as log:
            text, error = text_of(log)
        assert len(text) >= len(TEXT) - (1 << 14)
        assert error

    @every_compression
    def test_garbage_behind(self, tmp_path: Path, kind: str) -> None:
        """What follows the last member and is no member is not lost silently."""
        with open_log(stored(tmp_path, PACK[kind](TEXT) + b"garbage that is not a member")) as log:
            text, error = text_of(log)
        assert text == TEXT
        assert f"after {len(TEXT)} bytes" in str(error)

    @given(data=st.binary(max_size=300), kind=st.sampled_from(sorted(PACK)), cut=st.integers(8, 40))
    @settings(max_examples=200, deadline=None)
    def test_hostile_bytes(self, tmp_path_factory: pytest.TempPathFactory, data: bytes, kind: str, cut: int) -> None:
        """Anything behind the start of a compressed file gives text or the one error."""
        packed = PACK[kind](TEXT[:200])[:cut] + data
        with open_log(stored(tmp_path_factory.getbasetemp(), packed, "hostile")) as log:
            text_of(log)

    @every_compression
    def test_bomb(self, tmp_path: Path, kind: str) -> None:
        """100 MB of zeros from a few bytes never take more than a few pieces of memory."""
        packed = PACK[kind](bytes(20_000_000)) * 5
        with open_log(stored(tmp_path, packed)) as log:
            tracemalloc.start()
            try:
                assert sum(map(len, log.pieces(size=1 << 16))) == 100_000_000
                assert tracemalloc.get_traced_memory()[1] < 16_000_000  # xz -6 alone holds 8 MiB
            finally:
                tracemalloc.stop()


class TestStreams:
    """A pipe is a log that can be read once."""

    @pytest.mark.parametrize("kind", [None, *PACK])
    def test_fifo(self, tmp_path: Path, kind: str | None) -> None:
        """A FIFO gives the same text as a file, its first line beforehand too."""
        path = tmp_path / "pipe"
        os.mkfifo(path)
        data = PACK[kind](TEXT) if kind else TEXT
        writer = threading.Thread(target=path.write_bytes, args=(data,))
        writer.start()
        with open_log(str(path), now) as log:
            assert (log.size, log.plain, log.latest) == (None, False, NOW)
            assert first_line(log) == (LINE % 0).rstrip()
            assert text_of(log, 5) == (TEXT[5:], None)
            assert text_of(log, 5) == (
                b"",
                f"{path}: a pipe can be read only once. Save it to a file and read that.",
            )
        writer.join()

    def test_standard_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The name ``-`` is standard input, compressed or not, and stays open."""
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(TEXT, mtime=YEAR_2020))))
        with open_log("-", now) as log:
            assert text_of(log) == (TEXT, None)
            assert log.latest == NOW  # `zcat -f a.gz b.gz`: a later member may be younger than the first header
        monkeypatch.setattr("sys.stdin", None)
        with pytest.raises(UnreadableSourceError, match="standard input is closed"):
            open_log("-")

    def test_cut_off_pipe_before_first_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Asking for the first line of a broken pipe loses nothing of it."""
        data = gzip.compress(b"no line end")[:-8]
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        log = open_log("-")
        with pytest.raises(UnreadableSourceError, match="ends too early"):
            first_line(log)
        text, error = text_of(log)
        assert text == b"no line end"
        assert "after 11 bytes" in str(error)

    def test_live_pipe_is_not_held_back(self) -> None:
        """What a live pipe has is given without waiting for a full piece."""
        read_end, write_end = os.pipe()
        with os.fdopen(write_end, "wb", buffering=0) as writer:
            writer.write(b"first line, complete\n")
            with open_log(f"/dev/fd/{read_end}") as log:
                assert next(log.pieces()) != b""
        os.close(read_end)


class TestLatest:
    """No line of a log is later than ``latest``."""

    @pytest.mark.parametrize(
        ("stamps", "expected"),
        [
            pytest.param([YEAR_2020], datetime(2020, 1, 1, tzinfo=UTC), id="header"),
            pytest.param([0], datetime(2021, 1, 1, tzinfo=UTC), id="header not set: file"),
            pytest.param([YEAR_2020, YEAR_2020 + 60], datetime(2020, 1, 1, 0, 1, tzinfo=UTC), id="appended later"),
            pytest.param([YEAR_2020 + 60, YEAR_2020], datetime(2020, 1, 1, 0, 1, tzinfo=UTC), id="appended earlier"),
            pytest.param([YEAR_2020, 0], datetime(2021, 1, 1, tzinfo=UTC), id="appended, not set: file"),
        ],
    )
    def test_gzip(self, tmp_path: Path, stamps: list[int], expected: datetime) -> None:
        """The headers of all members count; a single one without a time leaves only the file's."""
        name = stored(tmp_path, b"".join(gzip.compress(TEXT, mtime=stamp) for stamp in stamps))
        os.utime(name, (0, datetime(2021, 1, 1, tzinfo=UTC).timestamp()))
        with open_log(name, now) as log:
            assert log.latest == expected

    def test_gzip_header_between_two_reads(self) -> None:
        """A header is found wherever the reads cut it."""
        data = io.BytesIO(gzip.compress(TEXT, mtime=YEAR_2020) + gzip.compress(b"", mtime=YEAR_2020 + 9))
        assert gzip_written(lambda _count: data.read(3)) == YEAR_2020 + 9

    @pytest.mark.parametrize("pack", [bytes, lzma.compress], ids=["plain", "xz"])
    def test_file(self, tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
        """Elsewhere the file's last change counts."""
        name = stored(tmp_path, pack(TEXT))
        os.utime(name, (0, YEAR_2020))
        with open_log(name, now) as log:
            assert log.latest == datetime(2020, 1, 1, tzinfo=UTC)


class TestFirstLine:
    """A first line identifies a log, so it must not change while the log grows."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            pytest.param(b"one\ntwo\n", b"one", id="complete"),
            pytest.param(b"one\r\ntwo", b"one\r", id="bytes are kept"),
            pytest.param(b"\ntwo", b"", id="empty line"),
            pytest.param(b"one", None, id="not complete yet"),
            pytest.param(b"x" * FIRST_LINE_LIMIT, b"x" * FIRST_LINE_LIMIT, id="endless"),
            pytest.param(b"x" * (FIRST_LINE_LIMIT + 9) + b"\n", b"x" * FIRST_LINE_LIMIT, id="too long"),
        ],
    )
    @pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd], ids=["plain", "gzip", "zstd"])
    def test_first_line(
        self, tmp_path: Path, text: bytes, expected: bytes | None, pack: Callable[[bytes], bytes]
    ) -> None:
        """The line without its end, None until it is complete, never more than the limit."""
        with open_log(stored(tmp_path, pack(text))) as log:
            assert first_line(log) == expected
            assert text_of(log) == (text, None)


class TestErrors:
    """What cannot be opened is said in words, with what to do."""

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("/no/such.log", "/no/such.log: there is no such file. Check the name."),
            ("/usr", "/usr: is a directory. Name the files in it, such as '/usr/mail.log*'."),
            ("a\0b", r"'a\x00b': cannot be opened (embedded null byte). Name a log file."),
            ("/no/\x1b[31m", r"'/no/\x1b[31m': there is no such file. Check the name."),
            ("/etc/passwd/x", "/etc/passwd/x: cannot be opened (Not a directory). Name a log file."),
        ],
        ids=["missing", "directory", "null byte", "terminal codes", "below a file"],
    )
    def test_names(self, name: str, text: str) -> None:
        """Names that are no log."""
        with pytest.raises(UnreadableSourceError) as caught:
            open_log(name)
        assert str(caught.value) == text

    def test_permission(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A log that this user may not read names the usual group."""

        def denied(name: str) -> io.FileIO:
            raise PermissionError(13, "Permission denied", name)

        monkeypatch.setattr("maillog.sources.log.io.FileIO", denied)
        with pytest.raises(UnreadableSourceError, match=r"^mail\.log: no permission to read it\. Run as root, or"):
            open_log("mail.log")

    @pytest.mark.parametrize(
        ("head", "text"),
        [
            (b"LPKSHHRH", "a systemd journal is not read. Give its text instead: journalctl -o json"),
            (b"PK\x03\x04rest", "a zip archive is not read. Unpack it first"),
            (b"\x1f\x9d\x90rest", "a file of compress(1) is not read. Unpack it first"),
        ],
        ids=["journal", "zip", "compress"],
    )
    def test_foreign_formats(self, tmp_path: Path, head: bytes, text: str) -> None:
        """Formats that hold no lines are named instead of being read as nonsense."""
        with pytest.raises(UnreadableSourceError) as caught:
            open_log(stored(tmp_path, head))
        assert text in str(caught.value)

    @pytest.mark.filterwarnings("error")  # a file that is closed by chance only gives a ResourceWarning
    def test_no_descriptor_leaks(self, tmp_path: Path) -> None:
        """Logs that are refused or closed leave no open file behind."""
        before = len(list(Path("/proc/self/fd").iterdir()))
        name = stored(tmp_path, b"LPKSHHRH")
        for _ in range(5):
            with pytest.raises(UnreadableSourceError):
                open_log(name)
            with pytest.raises(UnreadableSourceError):
                open_log(str(tmp_path))
            open_log(stored(tmp_path, TEXT, "good")).close()
        assert len(list(Path("/proc/self/fd").iterdir())) == before
