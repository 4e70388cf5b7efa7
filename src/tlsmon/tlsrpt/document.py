"""The JSON of a report (RFC 8460, section 4.4) -> its counts. Whoever sent it may have put anything into it."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import idna

from tlsmon.tlsrpt.model import OTHER, RESULT_TYPES, UNSPECIFIED, Failure, PolicyCounts, Report, ReportError

MAX_BYTES: Final = 4 << 20
"""Of JSON. Reports have some kilobytes, those of the largest senders some hundred."""
MAX_POLICIES: Final = 1_000
MAX_HOSTS: Final = 1_000
"""So many MX hosts of a policy are kept apart."""
MAX_COUNT: Final = 1 << 48
_TYPES = frozenset({"sts", "tlsa", "no-policy-found"})
_NAME_MAX = 255
_YEARS = range(2016, 2200)


def read(text: bytes) -> Report:
    """Return what a report says. Raises ReportError."""
    if len(text) > MAX_BYTES:
        raise ReportError(f"the report is larger than {MAX_BYTES >> 20} MiB")
    try:
        document = json.loads(text.removeprefix(b"\xef\xbb\xbf"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise ReportError(f"it is no JSON ({type(error).__name__})") from error
    if not isinstance(document, dict):
        raise ReportError("it is no JSON object")
    organization = _printable(_text(document.get("organization-name"), "organization-name"))
    begin, end = _range(document.get("date-range"))
    policies = document.get("policies")
    if not isinstance(policies, list) or not policies or len(policies) > MAX_POLICIES:
        raise ReportError(f"policies is no list of 1 to {MAX_POLICIES:,} policies")
    counts = tuple(_policy(policy) for policy in policies)
    return Report(_key(organization, document.get("report-id"), text), organization, begin, end, counts)


def _key(organization: str, identity: Any, text: bytes) -> str:
    """Return what a report is known by; one without an id is known by its content."""
    known = identity.encode("utf-8", "surrogatepass") if isinstance(identity, str) and identity else text
    return sha256(organization.encode() + b"\0" + known).hexdigest()[:32]


def _policy(found: Any) -> PolicyCounts:
    policy, summary = _object(found, "policies"), _object(_object(found, "policies").get("summary"), "summary")
    about = _object(policy.get("policy"), "policy")
    kind = about.get("policy-type")
    domain = _domain(_text(about.get("policy-domain"), "policy-domain"))
    if kind not in _TYPES or domain is None:
        raise ReportError("a policy has no policy-type or no policy-domain as the RFC has them")
    failures = _failures(policy.get("failure-details"))
    rest = _count(summary, "total-failure-session-count") - failures.total()
    if rest > 0:
        failures[Failure(UNSPECIFIED, None)] += rest
    return PolicyCounts(kind, domain, _count(summary, "total-successful-session-count"), dict(failures))


def _failures(details: Any) -> Counter[Failure]:
    """Return the failures that are told in detail: their sum may be more than the total that a reporter gives."""
    counts: Counter[Failure] = Counter()
    for detail in details if isinstance(details, list) else ():
        one = _object(detail, "failure-details")
        kind = one.get("result-type")
        host = one.get("receiving-mx-hostname")
        mx_host = _domain(host) if isinstance(host, str) else None
        failure = Failure(kind if kind in RESULT_TYPES else OTHER, mx_host)
        if failure not in counts and len(counts) >= MAX_HOSTS:
            failure = failure._replace(mx_host=None)
        counts[failure] += _count(one, "failed-session-count")
    return counts


def _object(found: Any, name: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise ReportError(f"{name} is no object")
    return found


def _text(found: Any, name: str) -> str:
    if not isinstance(found, str) or not found.strip():
        raise ReportError(f"{name} is no text")
    return found


def _count(found: dict[str, Any], name: str) -> int:
    number = found.get(name, 0)
    if isinstance(number, str) and number.isascii() and number.isdecimal() and len(number) < len(str(MAX_COUNT)):
        number = int(number)  # some write numbers as text
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= MAX_COUNT:
        raise ReportError(f"{name} is no count")
    return number


def _range(found: Any) -> tuple[datetime, datetime]:
    dates = _object(found, "date-range")
    begin, end = (_time(_text(dates.get(name), name)) for name in ("start-datetime", "end-datetime"))
    if begin > end:
        raise ReportError("date-range ends before it begins")
    return begin, end


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text.strip())
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ReportError("date-range has a time that is none of RFC 3339") from error
    if time.year not in _YEARS:
        raise ReportError("date-range is of no year in which there are such reports")
    return time


def _domain(name: str) -> str | None:
    """Return a domain in lower case as A-label; None for what is none."""
    name = name.strip().rstrip(".")
    try:
        return idna.encode(name, uts46=True).decode("ascii").lower() if len(name) <= _NAME_MAX else None
    except (idna.IDNAError, UnicodeError):
        return None


def _printable(text: str) -> str:
    return "".join(_shown(text[:_NAME_MAX]))


def _shown(text: str) -> Iterable[str]:
    return (char if char.isprintable() else "?" for char in text)


def _no_number(_name: str) -> None:
    raise ValueError
