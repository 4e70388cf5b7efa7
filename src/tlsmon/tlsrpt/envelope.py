"""
How a report comes: JSON, gzip, or a whole mail with one of both in it (RFC 8460, sections 3 and 5.3).

Told by content, since names say nothing. Sizes are bounded before anything is unpacked.
"""

import email
import re
import zlib
from email.errors import MessageError
from typing import Final

from tlsmon.tlsrpt.document import MAX_BYTES
from tlsmon.tlsrpt.model import ReportError

HEAD: Final = 1 << 16
"""So many bytes tell what a file is."""
MAX_FILE: Final = 3 * MAX_BYTES
_GZIP = b"\x1f\x8b"
_WINDOW: Final = 31  # zlib's word for "with a gzip header"
_KEYS = re.compile(rb'"(?:organization-name|date-range|contact-info|report-id|policies)"\s*:')
# Entries of journald are JSON objects as well.
_JOURNAL = b'"__REALTIME_TIMESTAMP"'
_MAIL = re.compile(rb"(?:From [^\n]*\n)?[A-Za-z][A-Za-z0-9-]{0,70}:")
_ABOUT_TLS = re.compile(rb"application/tlsrpt\+(?:gzip|json)|report-type\s*=\s*\"?tlsrpt", re.IGNORECASE)
_TYPES = frozenset({"application/tlsrpt+gzip", "application/tlsrpt+json"})
# Senders who do not know the type of the RFC, section 6.
_OTHER_TYPES = frozenset({"application/gzip", "application/x-gzip", "application/json", "application/octet-stream"})


def is_report(head: bytes) -> bool:
    """Tell whether what begins so is a report, and not a log."""
    if head.startswith(_GZIP):
        try:
            head = zlib.decompressobj(_WINDOW).decompress(head, HEAD)
        except zlib.error:
            return False
    return _is_json(head) or _is_mail(head)


def _is_json(text: bytes) -> bool:
    text = text.removeprefix(b"\xef\xbb\xbf").lstrip()
    return text.startswith(b"{") and _KEYS.search(text) is not None and _JOURNAL not in text


def _is_mail(text: bytes) -> bool:
    return _MAIL.match(text) is not None and _ABOUT_TLS.search(text) is not None


def documents(content: bytes) -> list[bytes]:
    """Return the JSON of the reports in a file. Raises ReportError."""
    if len(content) > MAX_FILE:
        raise ReportError(f"the file is larger than {MAX_FILE >> 20} MiB")
    text = _unpacked(content)
    return _of_mail(text) if _is_mail(text[:HEAD]) else [text]


def _unpacked(content: bytes) -> bytes:
    """Return the text of gzip data, or what is none as it is. Never unpacks more than is allowed."""
    if not content.startswith(_GZIP):
        return content
    unpacker = zlib.decompressobj(_WINDOW)
    try:
        text = unpacker.decompress(content, MAX_FILE + 1)
    except zlib.error as error:
        raise ReportError("the gzip data is damaged") from error
    if len(text) > MAX_FILE or unpacker.unconsumed_tail:
        raise ReportError(f"the gzip data unpacks to more than {MAX_FILE >> 20} MiB")
    if not unpacker.eof:
        raise ReportError("the gzip data ends too early")
    return text


def _of_mail(text: bytes) -> list[bytes]:
    try:
        parts = [_content(part) for part in email.message_from_bytes(text).walk() if not part.is_multipart()]
    except (MessageError, RecursionError, ValueError, LookupError) as error:
        raise ReportError("the mail cannot be taken apart") from error
    found = [_unpacked(content) for kind, content in parts if kind in _TYPES]
    if not found:
        unpacked = (_unpacked(content) for kind, content in parts if kind in _OTHER_TYPES)
        found = [content for content in unpacked if _is_json(content[:HEAD])]
    if not found:
        raise ReportError("the mail holds no report")
    return found


def _content(part: "email.message.Message[str, str]") -> tuple[str, bytes]:
    content = part.get_payload(decode=True)
    return part.get_content_type(), content if isinstance(content, bytes) else b""
