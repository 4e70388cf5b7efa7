"""
Compressed bytes to the bytes that they hold, in bounded memory.

The format is told by the first bytes, never by a name. Whatever the input claims, one step gives at most 128 KiB and
a decoder may keep at most 128 MiB for its window, so a file of zeros that unpacks to terabytes is only slow.

A decoder here takes a function that reads and gives chunks. It raises EOFError where the input ends too early and one
of ``DECODING_ERRORS`` where it is damaged; all chunks before that were given.
"""

import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol, TypeAlias

import zstandard

Read: TypeAlias = Callable[[int], bytes]
"""Gives the next bytes, at most as many as asked for; nothing at the end."""

DECODING_ERRORS = (zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError)  # OSError is what bz2 raises

HEAD = 8
"""How many bytes :func:`compression_of` wants to see."""

_INPUT = 1 << 15
_STEP = 1 << 14  # what a damaged place can take with it: a decoder that fails drops the step it was in
_MEMORY = 1 << 27  # the window of zstd --ultra -22; xz -9 needs half of it


class Compression(NamedTuple):
    """One compressed format."""

    name: str
    """The command that tests such a file with ``-t``: gzip, bzip2, xz, zstd."""
    magic: re.Pattern[bytes]
    decode: Callable[[Read], Iterator[bytes]]


class Foreign(NamedTuple):
    """A format that is known and not read."""

    name: str
    magic: bytes
    advice: str


class _Decoder(Protocol):
    """What bz2 and lzma agree on for one member."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _GzipMember:
    """A zlib decoder that behaves like those of bz2 and lzma."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)  # 16: gzip header and checksum, RFC 1952
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        text = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        self.needs_input = not self._zlib.unconsumed_tail
        return text


def _xz_stream() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_MEMORY)


def _members(read: Read, new_decoder: Callable[[], _Decoder]) -> Iterator[bytes]:
    """Give the text of all members or streams that stand one behind the other; zeros between them are padding."""
    data = read(_INPUT)
    while data:
        decoder = new_decoder()
        yield from _member(read, decoder, data)
        data = decoder.unused_data.lstrip(b"\0")
        while not data and (more := read(_INPUT)):
            data = more.lstrip(b"\0")


def _member(read: Read, decoder: _Decoder, data: bytes) -> Iterator[bytes]:
    while True:
        text = decoder.decompress(data, _STEP)
        if text:
            yield text
        if decoder.eof:
            return
        data = read(_INPUT) if decoder.needs_input else b""
        if decoder.needs_input and not data and not text:  # after a full step there may be more text without input
            raise EOFError


def _gzip(read: Read) -> Iterator[bytes]:
    return _members(read, _GzipMember)


def _bzip2(read: Read) -> Iterator[bytes]:
    return _members(read, bz2.BZ2Decompressor)


def _xz(read: Read) -> Iterator[bytes]:
    return _members(read, _xz_stream)


def _zstd(read: Read) -> Iterator[bytes]:
    """
    Give the text of all zstd frames, block by block (RFC 8878, section 3.1.1).

    The library's own streams either do not tell a frame that is cut off from one that is complete, or unpack all that
    they are handed at once: four bytes can stand for 128 KiB. Handing over single blocks avoids both.
    """
    while magic := _exactly(read, 4):
        if _SKIPPABLE.match(magic):
            _skip(read, int.from_bytes(_whole(read, 4), "little"))
        else:
            yield from _zstd_frame(read, magic)


def _zstd_frame(read: Read, magic: bytes) -> Iterator[bytes]:
    start = magic + _whole(read, 1)
    has_checksum = start[4] & 0b100  # Frame_Header_Descriptor, section 3.1.1.1.1
    frame = zstandard.ZstdDecompressor(max_window_size=_MEMORY).decompressobj()
    frame.decompress(start + _whole(read, zstandard.frame_header_size(start) - len(start)))
    last = False
    while not last:
        header = _whole(read, 3)
        fields = int.from_bytes(header, "little")  # Last_Block, Block_Type, Block_Size: section 3.1.1.2
        last, kind, size = bool(fields & 1), fields >> 1 & 0b11, fields >> 3
        yield frame.decompress(header + _whole(read, 1 if kind == _RLE else size))
    if has_checksum:
        frame.decompress(_whole(read, 4))


_RLE = 1
_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")


def _exactly(read: Read, count: int) -> bytes:
    """Read ``count`` bytes; fewer only at the end."""
    data = b""
    while len(data) < count and (more := read(count - len(data))):
        data += more
    return data


def _whole(read: Read, count: int) -> bytes:
    """Read ``count`` bytes or raise EOFError."""
    data = _exactly(read, count)
    if len(data) < count:
        raise EOFError
    return data


def _skip(read: Read, count: int) -> None:
    while count:
        count -= len(_whole(read, min(count, _INPUT)))


_COMPRESSIONS = (
    Compression("gzip", re.compile(rb"\x1f\x8b"), _gzip),
    Compression("bzip2", re.compile(rb"BZh[1-9]"), _bzip2),
    Compression("xz", re.compile(rb"\xfd7zXZ\x00"), _xz),
    # pzstd begins with a skippable frame
    Compression("zstd", re.compile(rb"\x28\xb5\x2f\xfd|" + _SKIPPABLE.pattern), _zstd),
)

_FOREIGN = (
    Foreign("systemd journal", b"LPKSHHRH", "Give its text instead: journalctl -o json | tlsmon ingest -"),
    Foreign("file of compress(1)", b"\x1f\x9d", "Unpack it first: uncompress -c FILE | tlsmon ingest -"),
    Foreign("lz4 file", b"\x04\x22\x4d\x18", "Unpack it first: lz4 -dc FILE | tlsmon ingest -"),
    Foreign("zip archive", b"PK\x03\x04", "Unpack it first: unzip -p FILE | tlsmon ingest -"),
    Foreign("7z archive", b"7z\xbc\xaf\x27\x1c", "Unpack it first: 7z x FILE"),
)


def compression_of(head: bytes) -> Compression | None:
    """Tell from the first ``HEAD`` bytes how they are compressed; None for anything else."""
    return next((kind for kind in _COMPRESSIONS if kind.magic.match(head)), None)


def foreign_format_of(head: bytes) -> Foreign | None:
    """Tell from the first ``HEAD`` bytes whether this is a known format that cannot hold lines of text."""
    return next((kind for kind in _FOREIGN if head.startswith(kind.magic)), None)


_GZIP_HEADER = re.compile(rb"\x1f\x8b\x08[\x00-\x1f](.{4})[\x00\x02\x04][\x00-\x0d\xff]", re.DOTALL)
_GZIP_HEADER_SIZE = 10


def gzip_written(read: Read) -> int | None:
    """
    Return the latest MTIME of all members (RFC 1952, section 2.3.1), in seconds since 1970; None where one has none.

    The first header alone says nothing about what was appended later (``cat a.gz b.gz``), so the whole file is
    searched for headers, without unpacking. Bytes that look like a header by chance occur about once in 200 GB.
    """
    latest, tail = 0, b""
    while data := read(1 << 20):
        window = tail + data
        for found in _GZIP_HEADER.finditer(window):
            stamp = int.from_bytes(found[1], "little")
            if not stamp:
                return None
            latest = max(latest, stamp)
        tail = window[1 - _GZIP_HEADER_SIZE :]
    return latest or None
