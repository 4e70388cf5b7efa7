"""MTA-STS: the record, the policy, and how it is fetched (RFC 8461)."""

import http.client
import io
import re
import ssl
from collections.abc import Sequence
from typing import Final

from tlsmon.probe.connection import Connection, StoppedError, printable
from tlsmon.probe.model import CouldNotTell, StsMode, StsPolicy
from tlsmon.trust import verifying_context

MAX_POLICY: Final = 64 << 10
"""RFC 8461, section 3.3, suggests 64 KB."""
_MAX_ANSWER: Final = MAX_POLICY + (16 << 10)
MAX_AGE: Final = 31_557_600
"""Seconds; section 3.2."""
MAX_PATTERNS: Final = 1000
_PATH: Final = "/.well-known/mta-sts.txt"
_ID: Final = re.compile(r"[A-Za-z0-9]{1,32}")
_FIELD: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})=([!-:<>-~]+)")
_LINE: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31}):[ \t]*(.*?)[ \t]*")
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_PATTERN: Final = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})+")
_SECONDS: Final = re.compile(r"[0-9]{1,10}")
_HTTP_OK: Final = 200


class StsError(Exception):
    """A record or policy that senders treat as if there were none; the text says what is wrong with it."""


def record_id(texts: Sequence[str]) -> str | None:
    """
    Return the id of an MTA-STS record (section 3.1); None where there is no record.

    ``texts``: the TXT records of ``_mta-sts.DOMAIN``. Those that do not begin with ``v=STSv1;`` are not meant. Raises
    StsError.
    """
    records = [text for text in texts if re.match(r"v=STSv1[ \t]*;", text)]
    if not records:
        return None
    if len(records) > 1:
        raise StsError(f"there are {len(records)} MTA-STS records; more than one counts as none")
    fields = [field.strip(" \t") for field in records[0].split(";")[1:]]
    found = [_FIELD.fullmatch(field) for field in (fields[:-1] if fields[-1] == "" else fields)]
    if not all(found):
        raise StsError("the MTA-STS record has a field that is not name=value")
    ids = [field[2] for field in found if field and field[1] == "id"]
    if not ids or not _ID.fullmatch(ids[0]):
        raise StsError("the MTA-STS record has no id of 1 to 32 letters and digits")
    return ids[0]


def parse_policy(text: str) -> StsPolicy:
    """
    Return a policy (section 3.2).

    Of a field that stands twice the first counts, except ``mx``; fields without a meaning here are passed over.
    Raises StsError.
    """
    fields: dict[str, str] = {}
    patterns: list[str] = []
    for number, line in enumerate(re.split(r"\r?\n", text.rstrip("\r\n")), 1):
        found = _LINE.fullmatch(line)
        if not found:
            raise StsError(f"line {number} of the policy is not a name, a colon and a value")
        if found[1] == "mx":
            patterns.append(_pattern(found[2], number))
        else:
            fields.setdefault(found[1], found[2])
    if fields.get("version") != "STSv1":
        raise StsError("the policy has no version STSv1")
    mode = _mode(fields.get("mode"))
    if mode is not StsMode.NONE and not patterns:
        raise StsError("the policy names no mx")
    if len(patterns) > MAX_PATTERNS:
        raise StsError(f"the policy names more than {MAX_PATTERNS} mx")
    return StsPolicy(mode, _max_age(fields.get("max_age")), tuple(patterns))


def _pattern(text: str, number: int) -> str:
    pattern = text.lower()
    if not _PATTERN.fullmatch(pattern):
        raise StsError(f"line {number} of the policy: {printable(text, 80)!r} is no host name or *. and a name")
    return pattern


def _mode(text: str | None) -> StsMode:
    try:
        return StsMode(text or "")
    except ValueError as error:
        raise StsError("the policy has no mode enforce, testing or none") from error


def _max_age(text: str | None) -> int:
    if text is None or not _SECONDS.fullmatch(text) or int(text) > MAX_AGE:
        raise StsError(f"the policy has no max_age from 0 to {MAX_AGE}")
    return int(text)


def allows(policy: StsPolicy, host: str) -> bool:
    """
    Return whether a policy names an MX host (section 4.1): ``*.`` stands for exactly one label.

    >>> allows(StsPolicy(StsMode.ENFORCE, 86400, ("*.example.com",)), "mx.example.com")
    True
    >>> allows(StsPolicy(StsMode.ENFORCE, 86400, ("*.example.com",)), "a.mx.example.com")
    False
    """
    rest = host.partition(".")[2]
    return any(pattern == host or (pattern[:2] == "*." and pattern[2:] == rest) for pattern in policy.mx)


def policy_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Return TLS settings that verify the policy host by its subjectAltName (section 3.3)."""
    context = verifying_context(ca_file)
    context.hostname_checks_common_name = False
    return context


def fetch(domain: str, ip: str, port: int, context: ssl.SSLContext, deadline: float) -> StsPolicy | CouldNotTell:
    """
    Return the policy that a domain serves at ``mta-sts.DOMAIN``, asked at one address of that name.

    ``deadline``: a moment of time.monotonic(). No redirect is followed (section 3.3). Raises StsError.
    """
    host = f"mta-sts.{domain}"
    try:
        with Connection(ip, port, deadline, _MAX_ANSWER) as connection:
            return parse_policy(_get(connection, host, context))
    except StoppedError as stop:
        return CouldNotTell(stop.answer.why, f"{host} {stop.answer.words}")
    except ssl.SSLCertVerificationError as error:
        raise StsError(f"the certificate of {host} fails: {printable(error.verify_message)}") from error
    except ssl.SSLError as error:
        raise StsError(f"{host} speaks no TLS that works") from error


def _get(connection: Connection, host: str, context: ssl.SSLContext) -> str:
    connection.start_tls(context, host)
    request = (
        f"GET {_PATH} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: tlsmon\r\nAccept: text/plain\r\nConnection: close\r\n\r\n"
    )
    connection.send(request.encode("ascii"))
    answer = bytearray()
    while data := connection.receive():
        answer += data
    return _body(bytes(answer), host)


class _Received:
    """What has been received, in the form in which http.client reads it: after the wire, so no peer can hold it."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def _body(answer: bytes, host: str) -> str:
    try:
        response = http.client.HTTPResponse(_Received(answer))  # type: ignore[arg-type]
        response.begin()
        body = response.read()  # to its end: with a size, http.client takes a body that was cut off for a whole one
    except (http.client.HTTPException, ValueError, OSError) as error:
        raise StsError(f"{host} does not speak HTTP") from error
    if response.status != _HTTP_OK:
        raise StsError(f"{host} answers the policy's address with {response.status}, not 200")
    kind = response.headers.get_content_type()
    if kind != "text/plain":
        raise StsError(f"{host} serves the policy as {printable(kind, 60)}, not text/plain")
    if len(body) > MAX_POLICY:
        raise StsError(f"the policy of {host} is larger than {MAX_POLICY >> 10} KB")
    try:
        return body.decode("ascii")
    except UnicodeDecodeError as error:
        raise StsError(f"the policy of {host} is not plain ASCII text") from error
