"""
The reports in a store: each counted once, by policy.

They lie in a table of their own, in the folder ``_tlsrpt`` of the store. A row is a number of sessions of one report
that ended alike, so the rows add up. Every policy has a row of its successes, be there none.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pyarrow as pa

from tlsmon.store.table import NAME, ConflictError, Layout, StoreError, Table
from tlsmon.tlsrpt.model import Failure, PolicySummary, Report, TlsrptSummary

FOLDER: Final = "_tlsrpt"
"""Begins with ``_``, so that readers of the table of deliveries do not look into it and vacuum leaves it alone."""
VERSION: Final = 1
_TRANSACTION: Final = "tlsrpt"
_ATTEMPTS: Final = 20
_TIME: Final = pa.timestamp("us", tz="UTC")
COLUMNS: Final = pa.schema(
    [
        pa.field("report", pa.string(), nullable=False),
        pa.field("organization", pa.string(), nullable=False),
        pa.field("begin", _TIME, nullable=False),
        pa.field("end", _TIME, nullable=False),
        pa.field("policy_domain", pa.string(), nullable=False),
        pa.field("policy_type", pa.string(), nullable=False),
        pa.field("result_type", pa.string()),
        pa.field("mx_host", pa.string()),
        pa.field("sessions", pa.int64(), nullable=False),
    ]
)
_LAYOUT: Final = Layout(
    lambda: COLUMNS,
    "tlsmon tlsrpt",
    "Sessions that others reported (RFC 8460), written by tlsmon; docs/store.md explains the columns.",
    "tlsmon.tlsrptVersion",
    VERSION,
)


class Ledger:
    """The reports of one store."""

    def __init__(self, store: str) -> None:
        self._location = f"{store.rstrip('/')}/{FOLDER}"

    def add(self, reports: Sequence[Report]) -> set[str]:
        """Add those that are not there yet; return their keys. Raises StoreError."""
        table = Table.open_or_create(self._location, _LAYOUT)
        for _ in range(_ATTEMPTS):
            known = self._known(table)
            new = {report.key: report for report in reports if report.key not in known}
            if not new:
                return set()
            rows = [row for report in new.values() for row in _rows(report)]
            version = (table.transaction(_TRANSACTION) or 0) + 1
            try:
                table.append_table(pa.Table.from_pylist(rows, schema=COLUMNS), {_TRANSACTION: version})
            except ConflictError:  # somebody else added reports; they may be the same
                table.refresh()
                continue
            table.compact()
            return set(new)
        raise StoreError(f"{self._location}: other processes keep adding reports.", hint="Run this again.")

    @staticmethod
    def _known(table: Table) -> set[str]:
        return {row["report"] for row in table.query(f"SELECT DISTINCT report FROM {NAME}").to_pylist()}  # noqa: S608

    def rows(self, domain: str | None = None) -> list[dict[str, Any]]:
        """Return the sums by report, policy and result; none without a table. Raises StoreError."""
        if not Table.exists(self._location):
            return []
        where = "" if domain is None else f"WHERE policy_domain = '{_escaped(domain)}'"
        keys = ", ".join(f'"{name}"' for name in COLUMNS.names if name != "sessions")
        found: list[dict[str, Any]] = (
            Table.open(self._location, _LAYOUT)
            .query(f"SELECT {keys}, CAST(SUM(sessions) AS BIGINT) AS sessions FROM {NAME} {where} GROUP BY {keys}")  # noqa: S608
            .to_pylist()
        )
        return found


def _escaped(text: str) -> str:
    """Return text for a SQL string: the quote is the only character with a meaning in it."""
    return text.replace("'", "''")


def _rows(report: Report) -> Iterator[dict[str, Any]]:
    for policy in report.policies:
        shared = {
            "report": report.key,
            "organization": report.organization,
            "begin": report.begin,
            "end": report.end,
            "policy_domain": policy.policy_domain,
            "policy_type": policy.policy_type,
        }
        yield shared | {"result_type": None, "mx_host": None, "sessions": policy.successful}
        for (result_type, mx_host), sessions in policy.failures.items():
            yield shared | {"result_type": result_type, "mx_host": mx_host, "sessions": sessions}


def summary(store: str, domain: str | None = None) -> TlsrptSummary:
    """
    Return what others saw when they sent to a domain (an A-label), or to all of which there are reports.

    ``store``: its place. Raises StoreError.
    """
    rows = Ledger(store).rows(domain)
    policies: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        policies[row["policy_domain"], row["policy_type"]].append(row)
    return TlsrptSummary(
        domain,
        len({row["report"] for row in rows}),
        tuple(sorted({row["organization"] for row in rows})),
        min((row["begin"] for row in rows), default=None),
        max((row["end"] for row in rows), default=None),
        tuple(_policy(*key, policies[key]) for key in sorted(policies)),
    )


def _policy(domain: str, kind: str, rows: Sequence[dict[str, Any]]) -> PolicySummary:
    failures: dict[Failure, int] = defaultdict(int)
    for row in rows:
        if row["result_type"] is not None:
            failures[Failure(row["result_type"], row["mx_host"])] += row["sessions"]
    ordered = sorted(failures.items(), key=lambda item: (-item[1], str(item[0])))
    successful = sum(row["sessions"] for row in rows if row["result_type"] is None)
    return PolicySummary(kind, domain, successful, sum(failures.values()), tuple(ordered))
