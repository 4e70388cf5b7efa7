"""Files and standard input -> the reports in them, and the logs among them, which are none of ours."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from maillog.errors import UnreadableSourceError
from maillog.sources import expand
from tlsmon.ingest.report import TlsReport
from tlsmon.tlsrpt.document import read
from tlsmon.tlsrpt.envelope import HEAD, MAX_FILE, documents, is_report
from tlsmon.tlsrpt.model import Report, ReportError

_STANDARD_INPUT: Final = "-"


class Sorted(NamedTuple):
    """What was named, sorted by what it is."""

    reports: list[str]
    others: list[str]
    """Logs, and what cannot be opened: whoever reads logs tells of it."""


def sort(names: Sequence[str]) -> Sorted:
    """Sort files, patterns and ``-`` by what they hold. Of standard input nothing is taken."""
    found = Sorted([], [])
    for name in names:
        try:
            paths = expand([name])
        except UnreadableSourceError:
            paths = [name]
        for path in dict.fromkeys(paths):
            (found.reports if is_report(_head(path)) else found.others).append(path)
    return found


def _head(name: str) -> bytes:
    if name == _STANDARD_INPUT:
        stdin = getattr(sys.stdin, "buffer", None)
        return stdin.peek(HEAD)[:HEAD] if hasattr(stdin, "peek") else b""  # type: ignore[union-attr]
    try:
        if not Path(name).is_file():
            return b""  # a pipe can be read only once
        with Path(name).open("rb") as file:
            return file.read(HEAD)
    except (OSError, ValueError):
        return b""


def bring_in(store: str, names: Sequence[str]) -> tuple[list[TlsReport], list[str]]:
    """Bring the reports in files into the store; return what was read, and what could not be. Raises StoreError."""
    problems: list[str] = []
    read_ones: list[tuple[str, Report]] = []
    for name in names:
        try:
            read_ones += [(name, read(document)) for document in documents(_content(name))]
        except (ReportError, OSError) as error:
            problems.append(f"{name}: no TLSRPT report that can be read: {error}")
    if not read_ones:
        return [], problems
    from tlsmon.tlsrpt.ledger import Ledger  # noqa: PLC0415, it needs much that logs do not

    new = Ledger(store).add([report for _, report in read_ones])
    told = []
    for name, report in read_ones:
        told.append(_told(name, report, new=report.key in new))
        new.discard(report.key)  # a second copy in the same call
    return told, problems


def _content(name: str) -> bytes:
    if name == _STANDARD_INPUT:
        return sys.stdin.buffer.read(MAX_FILE + 1)
    with Path(name).open("rb") as file:
        return file.read(MAX_FILE + 1)


def _told(name: str, report: Report, *, new: bool) -> TlsReport:
    domains = tuple(sorted({policy.policy_domain for policy in report.policies}))
    return TlsReport(
        name, report.organization, domains, report.begin, report.end, report.successful, report.failed, new
    )
