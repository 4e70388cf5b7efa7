"""How a report says things: names of strangers, days, causes, shares."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Final

from tlsmon.wording import count

_LONGEST_NAME: Final = 253
"""RFC 1035, section 2.3.4, as text."""
_LONGEST_PROSE: Final = 600
CAUSES: Final = {
    "tls_not_offered": "does not offer STARTTLS",
    "tls_refused": "refuses STARTTLS",
    "tls_handshake": "fails in the TLS handshake",
    "cert_untrusted": "certificate of no known CA",
    "cert_name": "certificate for another name",
    "cert_expired": "certificate expired or not yet valid",
    "dane": "fails DANE",
    "policy": "refused by the policy in force",
    "tls_local": "fault on the own side",
    "plaintext": "takes mail in clear",
    "certificate": "no certificate that verifies",
    "protocol": "uses TLS that the level refuses",
}
_OLD: Final = {"SSLv2": "RFC 6176", "SSLv3": "RFC 7568", "TLSv1": "RFC 8996", "TLSv1.1": "RFC 8996"}


def name(text: str | None, longest: int = _LONGEST_NAME) -> str:
    r"""
    Return a name out of a log, safe to show: what is not printable ASCII as an escape, and cut where it is no name.

    ``longest``: more for a text with several names in it.

    >>> name("mx\u202emoc.test"), name(None)
    ('mx\\u202emoc.test', '-')
    """
    if not text:
        return "-"
    return _cut("".join(char if " " <= char <= "~" else ascii(char)[1:-1] for char in text), longest)


def prose(text: str) -> str:
    """Return text of people, in any language, on one line and without characters that steer a display."""
    return _cut("".join(char if char.isprintable() else ascii(char)[1:-1] for char in text), _LONGEST_PROSE)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 24]}... ({len(text):,} characters)"


def cause(word: str) -> str:
    """Return a cause of the store in words for a table."""
    return CAUSES.get(word, name(word))


def mails(number: int) -> str:
    """Return a number of mails."""
    return count(number, "mail")


def utc_day(microseconds: int) -> date:
    """Return the day, in UTC, of a time in microseconds since 1970."""
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).date()


def listed(texts: Sequence[str]) -> str:
    """
    Return texts as people list them.

    >>> listed(["a", "b", "c"]), listed(["a"]), listed([])
    ('a, b and c', 'a', '')
    """
    return " and ".join(filter(None, (", ".join(texts[:-1]), *texts[-1:])))


def per_cent(share: float) -> str:
    """
    Return a share that somebody chose, with no more digits than it has.

    >>> per_cent(0.95), per_cent(0.001)
    ('95%', '0.1%')
    """
    return f"{share * 100:.6g}%"


def points(change: float) -> str:
    """
    Return a change of a share, given from -1 to 1, in percentage points.

    >>> points(0.0041), points(-0.02), points(0.0002)
    ('0.4 points more than', '2.0 points less than', 'as in')
    """
    if abs(change) < 0.0005:  # noqa: PLR2004, rounds to nothing
        return "as in"
    return f"{abs(change) * 100:.1f} points {'more' if change > 0 else 'less'} than"


def old_protocol(protocol: str | None) -> str:
    """Return what is to be said of a protocol: who forbids it, or nothing."""
    return f"deprecated ({_OLD[protocol]})" if protocol in _OLD else ""
