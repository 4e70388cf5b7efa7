"""Certificate -> answers: what it says, and which names it covers. Whether it is trusted, OpenSSL says elsewhere."""

import hashlib
import warnings
from enum import StrEnum
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID
from service_identity import CertificateError
from service_identity.hazmat import DNS_ID, DNSPattern

from tlsmon.probe.connection import printable
from tlsmon.probe.model import Certificate

# What a stranger's certificate does wrong is no news for the user's terminal.
warnings.filterwarnings("ignore", "Parsed a serial number", CryptographyDeprecationWarning)

MAX_NAMES: Final = 1000
UNREADABLE: Final = (
    ValueError,
    TypeError,
    KeyError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What cryptography raises for bytes that are no certificate, key or extension."""


class Cover(StrEnum):
    """Whether a certificate is for a name."""

    YES = "yes"
    NO = "no"
    COMMON_NAME_ONLY = "common_name_only"
    """It has no dNSName and its subject's CN is the name: some senders take that, RFC 9525 does not."""


def read(der: bytes) -> Certificate | None:
    """Return what a certificate says; None where the bytes are no certificate that can be read."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        names = _names(certificate)
        return Certificate(
            names=names[:MAX_NAMES],
            common_name=_common_name(certificate.subject),
            issuer=printable(certificate.issuer.rfc4514_string()),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            fingerprint=hashlib.sha256(der).hexdigest(),
            names_left_out=max(0, len(names) - MAX_NAMES),
        )
    except UNREADABLE:
        return None


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(printable(name, 255).lower() for name in found.value.get_values_for_type(x509.DNSName))


def _common_name(subject: x509.Name) -> str | None:
    found = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return printable(str(found[-1].value), 255).lower() if found else None


def covers(certificate: Certificate, host: str) -> Cover:
    """
    Return whether a certificate is for a host name (RFC 9525, section 6.3; wildcards stand for the whole first label).

    This is Postfix's ``hostname`` and ``nexthop``, Exim's check, and RFC 8461, section 4.1.
    """
    if any(_matches(pattern, host) for pattern in certificate.names):
        return Cover.YES
    return _by_common_name(certificate, certificate.common_name is not None and _matches(certificate.common_name, host))


def covers_below(certificate: Certificate, domain: str) -> Cover:
    """
    Return whether a certificate is for a domain or any name below it: Postfix's ``nexthop, dot-nexthop``.

    A name below may itself be a wildcard (OpenSSL, ``crypto/x509/v3_utl.c:skip_prefix``).
    """
    if any(_is_below(pattern, domain) for pattern in certificate.names):
        return Cover.YES
    name = certificate.common_name
    return _by_common_name(certificate, name is not None and _is_below(name, domain))


def _by_common_name(certificate: Certificate, matches: bool) -> Cover:
    return Cover.COMMON_NAME_ONLY if matches and not certificate.names else Cover.NO


def _is_below(pattern: str, domain: str) -> bool:
    return _matches(pattern, domain) or pattern.rstrip(".").endswith("." + domain)


def _matches(pattern: str, host: str) -> bool:
    try:
        return bool(DNS_ID(host).verify(DNSPattern.from_bytes(pattern.rstrip(".").encode("ascii"))))
    except (CertificateError, ValueError):
        return False
