"""The lab's certificate authority: certificates that are right, and each kind that is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = timedelta(days=1)


class Certificate(StrEnum):
    """What a receiver's certificate is like."""

    TRUSTED = "trusted"
    """Signed by the lab's CA, names the MX host."""
    TRUSTED_DOMAIN = "trusted_domain"
    """Signed by the lab's CA, names the MX host and the recipient domain, as Postfix's ``secure`` demands."""
    SELF_SIGNED = "self_signed"
    EXPIRED = "expired"
    WRONG_NAME = "wrong_name"
    """Signed by the lab's CA, names another host."""
    NO_SUBJECT = "no_subject"
    """Signed by the lab's CA, names the MX host, but not in a subject: as some of Let's Encrypt's profiles are."""


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])


class Authority:
    """A CA that lives for one run. Its own certificate is written to ``folder/ca.pem``."""

    def __init__(self, folder: Path, name: str = "Lab Root") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self.path = folder / "ca.pem"
        certificate = self._sign(self._name, self._key, [], ca=True)
        self.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, kind: Certificate, host: str, domain: str) -> Path:
        """Write key and chain for ``host``, which takes mail of ``domain``, into one PEM file and return its path."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = {Certificate.WRONG_NAME: ["other.invalid"], Certificate.TRUSTED_DOMAIN: [host, domain]}.get(
            kind, [host]
        )
        issuer = None if kind is Certificate.SELF_SIGNED else self._key
        subject = x509.Name([]) if kind is Certificate.NO_SUBJECT else _name(names[0])
        certificate = self._sign(subject, key, names, issuer=issuer, expired=kind is Certificate.EXPIRED)
        path = self._folder / f"{host}.{kind}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
            # DANE-TA(2) demands the trust anchor in the chain (RFC 7672, section 3.1.2).
            + (self.path.read_bytes() if issuer else b"")
        )
        return path

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        names: list[str],
        *,
        issuer: ec.EllipticCurvePrivateKey | None = None,
        ca: bool = False,
        expired: bool = False,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 60 * _DAY)
            .not_valid_after(now - _DAY if expired else now + 30 * _DAY)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if names:
            sans = [x509.DNSName(name) for name in names]
            # RFC 5280, section 4.2.1.6: critical where there is no subject.
            builder = builder.add_extension(x509.SubjectAlternativeName(sans), critical=not list(subject))
        return builder.sign(issuer or key, hashes.SHA256())
