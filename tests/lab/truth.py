"""What the receivers really saw: one row for each recipient whose mail was accepted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Accepted:
    """One recipient of one accepted mail, as the receiver saw it."""

    time: str
    """ISO 8601, UTC."""
    reply_id: str
    """``LAB-000123``: stands in the last reply of the transaction and so in the sender's log."""
    domain: str
    recipient: str
    """As given in RCPT."""
    mx_host: str
    mx_ip: str
    mx_port: int
    tls: bool
    protocol: str | None
    cipher: str | None
    session: int | None = None
    """Number of the connection, of those to this address; None in samples of before it was noted."""


def write_truth(row: Accepted, path: Path) -> None:
    """Append one row."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")


def read_truth(path: Path) -> Iterator[Accepted]:
    """Yield the rows of a truth file in order."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield Accepted(**json.loads(line))
