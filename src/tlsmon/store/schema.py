"""
The columns of the table.

The one definition that the Arrow schema, the page in the documentation and the types of DataFrames derive from.

History of the schema: version 1, the first; version 2 has ``sender_domain``, for mail that comes in, and ``earlier``;
version 3 has ``connections``.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from tlsmon.rollup.model import Key

VERSION: Final = 3
"""Raised whenever older programs would misread the table. Kept in the table's own metadata."""

ADDED: Final = {"sender_domain": "string", "earlier": "string", "connections": "long"}
"""Columns that some older version did not have, with their types in Delta's words."""

VERSION_PROPERTY: Final = "tlsmon.schemaVersion"


class Kind(StrEnum):
    """The type of a column."""

    TEXT = "string"
    WORD = "word"
    """Text out of a small set; a category in DataFrames."""
    INTEGER = "integer"
    TIME = "timestamp[us, UTC]"
    FLAG = "boolean"


class Column(NamedTuple):
    """One column."""

    name: str
    kind: Kind
    meaning: str
    """In words for people; says what null means where null can be."""
    nullable: bool = True


COLUMNS: Final = (
    Column("hour", Kind.TIME, "The full hour in which the attempts ended.", nullable=False),
    Column("mta", Kind.WORD, "Who wrote the log: `postfix` or `exim`.", nullable=False),
    Column("host", Kind.WORD, "The reporting host as its log names it. Null: the log names none."),
    Column(
        "instance",
        Kind.WORD,
        "Postfix: `syslog_name`, such as `postfix` or `postfix/relay`. Exim: the syslog tag, or null.",
    ),
    Column("direction", Kind.WORD, "`outbound` or `inbound`, seen from the reporting host.", nullable=False),
    Column(
        "recipient_domain",
        Kind.TEXT,
        "Domain of the envelope recipient, lower case, A-label; `[…]` for an address literal. "
        "Null: it has none; inbound always.",
    ),
    Column(
        "mx_host",
        Kind.TEXT,
        "The host that took or refused the attempt, lower case; inbound the client. "
        "Null: no host was reached; inbound: the client has no name that leads back to it.",
    ),
    Column("mx_ip", Kind.TEXT, "Its address. Null: not reached, or not in the log."),
    Column("mx_port", Kind.INTEGER, "Its port. Null: not reached, or not in the log (Exim's default); inbound always."),
    Column(
        "scope",
        Kind.WORD,
        "`internet`, `private`, `loopback` or `local`; inbound also `submission`, our own users. "
        "Only `internet` is traffic. Null: no host was reached.",
    ),
    Column(
        "security",
        Kind.WORD,
        "`encrypted`, `plaintext` (only where the log proves it), `unknown`; `none`: there was no mail transaction.",
        nullable=False,
    ),
    Column(
        "authentication",
        Kind.WORD,
        "`anonymous`, `untrusted`, `trusted`, `verified`, `dane`, with Postfix's meaning. Null: the log does not tell.",
    ),
    Column(
        "evidence",
        Kind.WORD,
        "How `security` is known: `stated`, `correlated`, `inferred`; `none`: it is not.",
        nullable=False,
    ),
    Column("protocol", Kind.WORD, "`TLSv1.3`, `TLSv1.2`, … Null: no TLS, or not in the log."),
    Column("cipher", Kind.WORD, "The cipher suite as logged. Null: no TLS, or not in the log."),
    Column("outcome", Kind.WORD, "`sent`, `deferred`, `bounced` or `expired`.", nullable=False),
    Column(
        "cause",
        Kind.WORD,
        "Why it was not sent, where TLS is the reason (`tls_handshake`, …), else `unrelated`. Null: it was sent.",
    ),
    Column("level", Kind.WORD, "The security level in force (`may`, `dane`, …). Null: the log does not state it."),
    Column(
        "provisional",
        Kind.FLAG,
        "True: judged as if the log ended here; a later row with the opposite `count` takes it back. Sums stay right.",
        nullable=False,
    ),
    Column(
        "sender_domain",
        Kind.TEXT,
        "Inbound: domain of the envelope sender, as the client claims it; `<>` for the null sender (bounces). "
        "Null: outbound; inbound: it has none, or the log does not tell.",
    ),
    Column(
        "earlier",
        Kind.TEXT,
        "Other hosts that had failed before in the same attempt: their addresses, `,` between, `?` for one not named. "
        "Null: none, or written before there was this column.",
    ),
    Column("count", Kind.INTEGER, "How many attempts; negative where a provisional row is taken back.", nullable=False),
    Column("first", Kind.TIME, "When the first of them ended.", nullable=False),
    Column("last", Kind.TIME, "When the last of them ended.", nullable=False),
    Column(
        "connections",
        Kind.INTEGER,
        "How many of them had a connection of their own. The others were further recipients of a mail, or went over a "
        "connection that was kept open. Null: written before there was this column; then it counts as `count`.",
    ),
)

CONNECTIONS: Final = "COALESCE(connections, count)"
"""In SQL: the connections of a row, of whichever version. What was not counted is taken for one each."""

KEY_COLUMNS: Final = tuple(column for column in COLUMNS if column.name in Key._fields)


def markdown() -> str:
    """Return the columns as the table of ``docs/store.md``."""
    lines = ["| column | type | null | meaning |", "|---|---|---|---|"]
    for name, kind, meaning, nullable in COLUMNS:
        shown = "string" if kind is Kind.WORD else kind.value
        lines.append(f"| `{name}` | {shown} | {'yes' if nullable else 'no'} | {meaning} |")
    return "\n".join(lines) + "\n"
