"""A certification authority made on the spot: certificates of every kind that a mail server may show."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.now(tz=UTC).replace(microsecond=0)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Identity:
    """A key, its certificate, and the certificates that are sent behind it."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    behind: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        """Return the certificate."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def spki(self) -> bytes:
        """Return the public key."""
        return self.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def chain(self) -> tuple[bytes, ...]:
        """Return all that is sent."""
        return (self.der, *(each.public_bytes(Encoding.DER) for each in self.behind))

    def write(self, path: Path) -> Path:
        """Write key and chain as PEM."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(key + b"".join(each.public_bytes(Encoding.PEM) for each in (self.certificate, *self.behind)))
        return path


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def issue(
    names: Sequence[str] = (),
    by: Identity | None = None,
    *,
    days: tuple[int, int] = (-1, 90),
    authority: bool = False,
    common_name: str = "nobody",
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
    path_length: int | None = None,
    more: Sequence[x509.ExtensionType] = (),
) -> Identity:
    """Issue a certificate; by nobody: self-signed. ``days``: of validity, from today."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = by or Identity(key, None)  # type: ignore[arg-type]
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(by.certificate.subject if by else _name(common_name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + days[0] * DAY)
        .not_valid_after(NOW + days[1] * DAY)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=path_length), critical=True)
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        )
    if not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    for extension in more:
        builder = builder.add_extension(extension, critical=True)
    behind = (by.certificate, *by.behind) if by and by.behind else ()
    return Identity(key, builder.sign(issuer.key, SHA256()), behind)


@lru_cache(maxsize=1)
def root() -> Identity:
    """Return the authority that the tests trust."""
    return issue(authority=True, common_name="Trusted Root", days=(-100, 1000))


@lru_cache(maxsize=1)
def intermediate() -> Identity:
    """Return an authority below it; what it issues is sent with it."""
    made = issue(by=root(), authority=True, common_name="Intermediate", days=(-100, 1000))
    return Identity(made.key, made.certificate, (root().certificate,))


@lru_cache(maxsize=1)
def private_root() -> Identity:
    """Return an authority that nobody trusts; sent along by what it issues."""
    made = issue(authority=True, common_name="Private Root", days=(-100, 1000))
    return Identity(made.key, made.certificate, (made.certificate,))
