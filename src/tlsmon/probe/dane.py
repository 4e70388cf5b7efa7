"""TLSA records against a chain (RFC 7671, RFC 7672). Pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from tlsmon.probe.certificate import UNREADABLE, Cover, covers, read
from tlsmon.probe.model import TlsaRecord

DANE_TA: Final = 2
DANE_EE: Final = 3
_FULL: Final = 0
_DIGESTS: Final = {1: (hashlib.sha256, 32), 2: (hashlib.sha512, 64)}
_MAX_CHAIN: Final = 12
_E = TypeVar("_E", bound=x509.ExtensionType)


class Match(StrEnum):
    """What the TLSA records say of a chain."""

    MATCHES = "matches"
    MISMATCH = "mismatch"
    UNUSABLE = "unusable"
    """No record that SMTP can use: a sender that demands DANE sends nothing."""


@dataclass(frozen=True, slots=True)
class DaneResult:
    """How a chain stands to the TLSA records."""

    match: Match
    words: str
    """Which record matches; else why none does."""


def usable(record: TlsaRecord) -> bool:
    """
    Return whether SMTP can use a record.

    Usages 0 and 1 are unusable (RFC 7672, section 3.1.3); so are unknown selectors and matching types, digests of the
    wrong length (RFC 7671, section 10.1.1 and RFC 6698, section 2.1), and full data that is no certificate or key.
    """
    if record.usage not in {DANE_TA, DANE_EE} or record.selector not in {0, 1}:
        return False
    if record.matching in _DIGESTS:
        return len(record.data) == _DIGESTS[record.matching][1]
    return record.matching == _FULL and _is_whole(record)


def _is_whole(record: TlsaRecord) -> bool:
    try:
        if record.selector == 0:
            x509.load_der_x509_certificate(record.data)
        else:
            load_der_public_key(record.data)
    except UNREADABLE:
        return False
    return True


def associates(record: TlsaRecord, der: bytes) -> bool:
    """Return whether a record's data stands for a certificate, whatever its usage (RFC 6698, section 2.1)."""
    selected = _selected(record.selector, der)
    if selected is None:
        return False
    if record.matching == _FULL:
        return selected == record.data
    digest = _DIGESTS.get(record.matching)
    return digest is not None and digest[0](selected).digest() == record.data


def _selected(selector: int, der: bytes) -> bytes | None:
    if selector == 0:
        return der
    try:
        key = x509.load_der_x509_certificate(der).public_key()
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except UNREADABLE:
        return None


def compare(
    records: Sequence[TlsaRecord], chain: Sequence[bytes], names: Sequence[str], now: datetime, whole: bool = True
) -> DaneResult:
    """
    Return how a chain (DER, the server's own first) stands to the TLSA records.

    ``names``: the reference identifiers of usage 2: the TLSA base domain and, after a secure MX lookup, the next hop
    (RFC 7672, section 3.2.2). Usage 3 looks at no name and no date (section 3.1.1). ``now`` is aware.
    ``whole``: the chain is all that was sent.
    """
    fit = [record for record in records if usable(record)]
    if not fit:
        return DaneResult(Match.UNUSABLE, "none of the TLSA records can be used for SMTP")
    if not chain:
        return DaneResult(Match.MISMATCH, "the server sent no certificate")
    faults = {record: _fault(record, chain, names, now) for record in fit}
    for record, fault in faults.items():
        if fault is None:
            return DaneResult(Match.MATCHES, f"TLSA {record} matches")
    known = next(filter(None, faults.values()), None)
    if known:
        return DaneResult(Match.MISMATCH, known)
    missing = "" if whole else " that can be seen here"
    return DaneResult(Match.MISMATCH, f"no TLSA record matches a certificate of the chain{missing}")


def _fault(record: TlsaRecord, chain: Sequence[bytes], names: Sequence[str], now: datetime) -> str | None:
    """Return None where a usable record matches; empty where it has nothing to do with the chain; else the fault."""
    if record.usage == DANE_EE:
        return None if associates(record, chain[0]) else ""
    return _anchor_fault(record, chain, names, now)


def _anchor_fault(record: TlsaRecord, chain: Sequence[bytes], names: Sequence[str], now: datetime) -> str | None:
    # Any certificate of the chain but the server's own may be the anchor.
    found = next((der for der in chain[1:] if associates(record, der)), None)
    if found is None:
        found = _own_anchor(record)
    if found is None:
        return ""
    leaf = read(chain[0])
    if leaf is None or not any(covers(leaf, name) is Cover.YES for name in names):
        return f"TLSA {record} matches an authority, but the certificate names none of {', '.join(names)}"
    return _path_fault(chain, found, now)


def _own_anchor(record: TlsaRecord) -> bytes | None:
    # 2 0 0 carries the authority itself, so it need not be sent (RFC 7671, section 5.2.1). A bare key (2 1 0) that is
    # not in the chain is left out: not every sender can use it.
    return record.data if record.matching == _FULL and record.selector == 0 else None


def _path_fault(chain: Sequence[bytes], anchor: bytes, now: datetime) -> str | None:
    """
    Return what breaks the path from the first certificate to the anchor (RFC 5280, section 6, without revocation).

    The anchor may be an intermediate (RFC 7671, section 5.2). Name constraints are not followed, so a chain with them
    does not pass: a match that is not sure is none.
    """
    try:
        pool = [x509.load_der_x509_certificate(der) for der in (*chain[1:_MAX_CHAIN], anchor)]
        current, top = x509.load_der_x509_certificate(chain[0]), pool[-1]
        if not _serves(current):
            return "the certificate is not for servers"
        for depth in range(_MAX_CHAIN):
            if not current.not_valid_before_utc <= now <= current.not_valid_after_utc:
                return "a certificate of the chain is expired or not yet valid"
            if current == top:
                return None
            issuer = next((each for each in pool if _issued(each, current, depth)), None)
            if issuer is None:
                return "the chain does not lead to the authority of the TLSA record"
            current = issuer
    except UNREADABLE:
        return "a certificate of the chain cannot be read"
    return "the chain is too long"


def _serves(leaf: x509.Certificate) -> bool:
    usages = _extension(leaf, x509.ExtendedKeyUsage)
    allowed = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    return usages is None or bool(allowed & set(usages))


def _issued(issuer: x509.Certificate, subject: x509.Certificate, authorities_below: int) -> bool:
    basic = _extension(issuer, x509.BasicConstraints)
    usage = _extension(issuer, x509.KeyUsage)
    if basic is None or not basic.ca or _extension(issuer, x509.NameConstraints) is not None:
        return False
    if usage is not None and not usage.key_cert_sign:
        return False
    if basic.path_length is not None and basic.path_length < authorities_below:
        return False
    try:
        subject.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def _extension(certificate: x509.Certificate, kind: type[_E]) -> _E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
