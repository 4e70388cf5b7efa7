"""What a report says, as far as it is counted. Nothing of a person, and no policy text."""

from datetime import datetime
from typing import Final, NamedTuple

from tlsmon.errors import TlsmonError

RESULT_TYPES: Final = frozenset(
    {
        "starttls-not-supported", "certificate-host-mismatch", "certificate-expired", "certificate-not-trusted",
        "validation-failure", "tlsa-invalid", "dnssec-invalid", "dane-required", "sts-policy-fetch-error",
        "sts-policy-invalid", "sts-webpki-invalid",
    }
)  # fmt: skip
"""RFC 8460, section 4.3."""
OTHER: Final = "other"
"""A result type that the RFC does not know."""
UNSPECIFIED: Final = "unspecified"
"""Failures that are in a policy's total and in none of its details."""


class ReportError(TlsmonError):
    """What was given is no report that can be read; the text says why."""


class Failure(NamedTuple):
    """Sessions with one of our MX hosts that failed alike."""

    result_type: str
    mx_host: str | None
    """As the reporter names it, lower case; None where it does not."""


class PolicyCounts(NamedTuple):
    """The sessions under one policy."""

    policy_type: str
    """``sts``, ``tlsa``, ``no-policy-found``."""
    policy_domain: str
    """A-label."""
    successful: int
    failures: dict[Failure, int]


class Report(NamedTuple):
    """One report."""

    key: str
    """32 hexadecimal digits that stand for the organisation and its id of the report."""
    organization: str
    begin: datetime
    end: datetime
    """Both aware, UTC."""
    policies: tuple[PolicyCounts, ...]

    @property
    def successful(self) -> int:
        """Return how many sessions succeeded."""
        return sum(policy.successful for policy in self.policies)

    @property
    def failed(self) -> int:
        """Return how many sessions failed."""
        return sum(sum(policy.failures.values()) for policy in self.policies)


class PolicySummary(NamedTuple):
    """What all reports together say of one policy."""

    policy_type: str
    policy_domain: str
    successful: int
    failed: int
    failures: tuple[tuple[Failure, int], ...]
    """The most frequent first."""


class TlsrptSummary(NamedTuple):
    """What others saw when they sent to a domain. Nobody checks who wrote a report."""

    domain: str | None
    """None: all that there are reports of."""
    reports: int
    organizations: tuple[str, ...]
    first: datetime | None
    """When the first period that is reported on began, and the last one ended; None without a report."""
    last: datetime | None
    policies: tuple[PolicySummary, ...]
    """By domain and type."""
