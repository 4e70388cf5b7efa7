"""One log, whatever holds it: a file, compressed or not, an object, a pipe, standard input, as pieces of its text."""

import contextlib
import io
import os
import stat
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, TypeAlias, cast

from maillog.errors import DamagedSourceError, UnreadableSourceError
from maillog.sources.decompress import (
    DECODING_ERRORS,
    HEAD,
    Compression,
    Read,
    compression_of,
    foreign_format_of,
    gzip_written,
)
from maillog.sources.objects import StoredObject, is_object

STANDARD_INPUT = "-"

PIECE = 1 << 20
"""Bytes of text in a piece, unless told otherwise."""

FIRST_LINE_LIMIT = 1 << 16
"""Bytes of a first line that count."""

_CHUNK = 1 << 20


def _utc_now() -> datetime:
    return datetime.now(UTC)


class _Stored:
    """A regular file: any number of readers, each from its own offset, that all see the file that was opened."""

    def __init__(self, file: io.FileIO) -> None:
        self.file = file
        status = os.fstat(file.fileno())
        self.size = status.st_size
        self.changed = _moment(status.st_mtime)

    def head(self) -> bytes:
        return os.pread(self.file.fileno(), HEAD, 0)

    def reader(self, start: int = 0) -> Read:
        place = start

        def read(count: int) -> bytes:
            nonlocal place
            data = os.pread(self.file.fileno(), count, place)
            place += len(data)
            return data

        return read

    def close(self) -> None:
        self.file.close()


class _Stream:
    """A pipe, a terminal or standard input: can be read once."""

    size = changed = None

    def __init__(self, file: io.BufferedIOBase) -> None:
        self.file = file
        self._ahead = b""

    def head(self) -> bytes:
        while len(self._ahead) < HEAD and (more := self.file.read1(HEAD - len(self._ahead))):
            self._ahead += more
        return self._ahead

    def read(self, count: int) -> bytes:
        if self._ahead:
            data, self._ahead = self._ahead[:count], self._ahead[count:]
            return data
        return self.file.read1(count)

    def close(self) -> None:
        self.file.close()


_Origin: TypeAlias = _Stored | StoredObject | _Stream


class _Cursor:
    """A place in the text of a log. ``fill``: wait until a piece is full, which would hold back a live pipe."""

    def __init__(self, chunks: Iterator[bytes], offset: int, *, fill: bool) -> None:
        self.offset = offset
        self._chunks = chunks
        self._fill = fill
        self._held = bytearray()
        self._failure: UnreadableSourceError | None = None

    def take(self, size: int) -> bytes:
        """Return the next bytes, at most ``size``; nothing at the end. What precedes an error comes before it."""
        while len(self._held) < size and (self._fill or not self._held) and self._load():
            pass
        if not self._held and self._failure:
            raise self._failure
        piece = bytes(self._held[:size])
        del self._held[:size]
        self.offset += len(piece)
        return piece

    def give_back(self, piece: bytes) -> None:
        """Undo :meth:`take`."""
        self._held[:0] = piece
        self.offset -= len(piece)

    def _load(self) -> bool:
        try:
            self._held += next(self._chunks)
        except StopIteration:
            return False
        except UnreadableSourceError as error:
            self._failure = error
            return False
        return True


class Log:
    """
    A log that is open for reading; made by :func:`open_log`, to be closed or used with ``with``.

    A file that is renamed or replaced meanwhile does not matter: all reading is from the file that was opened.
    """

    name: str
    """As it was given: a path, an address (``s3://…``), or ``-``."""
    latest: datetime
    """UTC, as of the opening: no line is later than this. A log that is still being written may grow beyond it."""
    plain: bool
    """An uncompressed file or object: offsets can be sought, and it can be opened again by its name."""
    size: int | None
    """Bytes as stored; None for a pipe."""

    def __init__(self, name: str, origin: _Origin, clock: Callable[[], datetime]) -> None:
        self.name = name
        self._origin = origin
        self._compression = _compression(name, origin)
        self.plain = not isinstance(origin, _Stream) and self._compression is None
        self.size = origin.size
        self.latest = self._written() or origin.changed or clock()
        self._checked = False
        self._only = self._cursor(0) if isinstance(origin, _Stream) else None

    def pieces(self, start: int = 0, size: int = PIECE) -> Iterator[bytes]:
        """
        Give the text from the byte ``start`` on in pieces of 1 to ``size`` bytes, cut anywhere.

        ``start`` counts uncompressed bytes; a plain file is sought, anything else read and dropped up to there.
        Nothing comes where the log is not that long. A pipe goes on where its last piece ended and cannot go back.

        Raises UnreadableSourceError, after all pieces that could be read. Where compressed data is damaged, not only
        cut off, it is a DamagedSourceError: up to 16 KiB (zstd: 128 KiB) before that are missing, and what was given
        may be wrong, for a checksum stands at the end.
        """
        cursor = self._only or self._cursor(start)
        if start < cursor.offset:
            raise UnreadableSourceError(
                f"{self._shown}: a pipe can be read only once. Save it to a file and read that."
            )
        while cursor.offset < start and cursor.take(min(size, start - cursor.offset)):
            pass
        while piece := cursor.take(size):
            yield piece

    def check(self) -> None:
        """
        Raise DamagedSourceError where a compressed file is damaged anywhere; the checksums stand at its end.

        Reads it through once. A file that is only cut off passes; so does everything that is not a compressed file.
        """
        if self._checked or self.plain or self._only:
            return
        self._checked = True
        try:
            for _ in self.pieces():
                pass
        except DamagedSourceError:
            raise
        except UnreadableSourceError:
            return

    def head(self, limit: int) -> bytes:
        """Return the text up to the first line end or a little more, at most ``limit`` bytes; a pipe gives it again."""
        cursor = self._only or self._cursor(0)
        head = b""
        try:
            while len(head) < limit and b"\n" not in head and (piece := cursor.take(limit - len(head))):
                head += piece
        finally:
            cursor.give_back(head)
        return head

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self.name != STANDARD_INPUT:
            self._origin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _shown(self) -> str:
        return _shown(self.name)

    def _cursor(self, start: int) -> _Cursor:
        sought = start if self.plain else 0
        streams = isinstance(self._origin, _Stream)
        read = self._origin.read if isinstance(self._origin, _Stream) else self._origin.reader(sought)
        return _Cursor(self._chunks(read, sought), sought, fill=not streams)

    def _chunks(self, read: Read, offset: int) -> Iterator[bytes]:
        """Give the text and turn what goes wrong into an error for people."""
        kind = self._compression
        try:
            for chunk in kind.decode(read) if kind else iter(lambda: read(_CHUNK), b""):
                offset += len(chunk)
                yield chunk
        except EOFError as error:
            raise UnreadableSourceError(self._broken("ends too early", offset, "was read")) from error
        except DECODING_ERRORS as error:
            broken = self._broken(f"cannot be read ({error})", offset, "may be wrong, too")
            raise (UnreadableSourceError(broken) if kind is None else DamagedSourceError(broken)) from error

    def _broken(self, what: str, offset: int, before: str) -> str:
        if self._compression is None:
            return f"{self._shown}: {what} after {offset} bytes. Check the disk or the network share that holds it."
        return (
            f"{self._shown}: the {self._compression.name} data {what}, after {offset} bytes of text. The text before "
            f"that {before}. Test the file with {self._compression.name} -t, get a complete copy and read it again."
        )

    def _written(self) -> datetime | None:
        """Return when the text of a gzip file was last written, as the file itself says."""
        if isinstance(self._origin, _Stream) or self._compression is None or self._compression.name != "gzip":
            return None  # later members of a pipe are not seen yet
        with _explained(self.name):
            seconds = gzip_written(self._origin.reader())
        return _moment(seconds) if seconds else None


def open_log(name: str, clock: Callable[[], datetime] = _utc_now) -> Log:
    """
    Open a log for reading: ``name`` is a path, an address in an object store, or ``-`` for standard input.

    Regular files, objects, pipes and character devices can be read; gzip, bzip2, xz and zstd are unpacked on the way,
    recognised by their first bytes. ``clock`` gives the present time, aware; it counts where neither the file nor a
    gzip header tells when the log was written. Raises UnreadableSourceError. Opening a pipe waits for its first bytes.
    """
    with _explained(name):
        origin = _standard_input() if name == STANDARD_INPUT else _opened(name)
        try:
            return Log(name, origin, clock)
        except BaseException:
            if name != STANDARD_INPUT:
                origin.close()
            raise


def first_line(log: Log) -> bytes | None:
    """
    Return the first line of a log without its line end, at most ``FIRST_LINE_LIMIT`` bytes of it.

    None where there is no complete line yet, so that what is returned stays the same while the log grows.
    Raises UnreadableSourceError where the log breaks before that.
    """
    line, end, _ = log.head(FIRST_LINE_LIMIT).partition(b"\n")
    return line if end or len(line) == FIRST_LINE_LIMIT else None


def _standard_input() -> _Stream:
    if sys.stdin is None or sys.stdin.closed:
        raise UnreadableSourceError("-: standard input is closed. Pipe a log into the command or name a file.")
    return _Stream(cast("io.BufferedIOBase", sys.stdin.buffer))


def _opened(name: str) -> _Origin:
    if is_object(name):
        return StoredObject(name)
    file = io.FileIO(name)
    mode = os.fstat(file.fileno()).st_mode
    if stat.S_ISREG(mode):
        return _Stored(file)
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        return _Stream(io.BufferedReader(file))
    file.close()
    raise UnreadableSourceError(f"{_shown(name)}: neither a file nor a pipe. Name a log file.")


def _compression(name: str, origin: _Origin) -> Compression | None:
    head = origin.head()
    if foreign := foreign_format_of(head):
        raise UnreadableSourceError(f"{_shown(name)}: a {foreign.name} is not read. {foreign.advice}")
    return compression_of(head)


def _moment(seconds: float) -> datetime | None:
    """Return a time of a file system or gzip header in UTC; None for one that no calendar holds."""
    with contextlib.suppress(OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(seconds, UTC)
    return None


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn what the system says about a name into an error for people."""
    try:
        yield
    except FileNotFoundError as error:
        advice = "there is no such file. Check the name."
        raise UnreadableSourceError(f"{_shown(name)}: {advice}") from error
    except PermissionError as error:
        advice = "no permission to read it. Run as root, or as a member of the group that owns the log (often adm)."
        raise UnreadableSourceError(f"{_shown(name)}: {advice}") from error
    except IsADirectoryError as error:
        advice = f"is a directory. Name the files in it, such as '{_shown(name)}/mail.log*'."
        raise UnreadableSourceError(f"{_shown(name)}: {advice}") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UnreadableSourceError(f"{_shown(name)}: cannot be opened ({reason}). Name a log file.") from error


def _shown(name: str) -> str:
    """Return a file name that is safe on a terminal."""
    return name if name.isprintable() else ascii(name)
