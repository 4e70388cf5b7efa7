"""The options of the commands that ask live, and what they come to."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from tlsmon.live import Settings

Resolver: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ADDRESS",
        help="Name server to ask, such as 127.0.0.1 or [::1]:5353; may be repeated. Else this machine's. For DNSSEC it "
        "must validate, and be near.",
    ),
]
AllowPrivate: TypeAlias = Annotated[
    bool, typer.Option("--allow-private", help="Connect to private and loopback addresses, too.")
]
CaFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Authorities to trust (PEM): those of the mail server. Else this machine's."),
]
Ipv6: TypeAlias = Annotated[
    bool | None, typer.Option("--ipv6/--no-ipv6", help="Ask IPv6 addresses, too. Else if this machine has a route.")
]
Timeout: TypeAlias = Annotated[
    float, typer.Option(min=1, metavar="SECONDS", help="For one connection, from connect to quit.")
]
TimeLimit: TypeAlias = Annotated[
    float, typer.Option(min=1, metavar="SECONDS", help="For everything; what is not done by then could not be told.")
]
Concurrency: TypeAlias = Annotated[
    int, typer.Option(min=1, max=500, help="Connections at a time; never more than one for each address.")
]
Helo: TypeAlias = Annotated[str | None, typer.Option(metavar="NAME", help="Name to greet with. Else this machine's.")]
Port: TypeAlias = Annotated[int, typer.Option(min=1, max=65535, help="Port of the MX hosts.")]
HttpsPort: TypeAlias = Annotated[int, typer.Option(min=1, max=65535, hidden=True)]

DEFAULTS = Settings()


def settings(
    resolver: list[str] | None,
    ca_file: Path | None,
    helo: str | None,
    *,
    allow_private: bool,
    ipv6: bool | None,
    ports: tuple[int, int],
    times: tuple[float, float],
    concurrency: int,
) -> Settings:
    """Return what the options come to; ``ports``: SMTP and HTTPS; ``times``: for a connection and for everything."""
    return Settings(
        port=ports[0],
        https_port=ports[1],
        allow_private=allow_private,
        ipv6=ipv6,
        nameservers=tuple(resolver or ()),
        ca_file=str(ca_file) if ca_file else None,
        helo=helo,
        lookup_seconds=min(DEFAULTS.lookup_seconds, times[0]),
        conversation_seconds=times[0],
        total_seconds=times[1],
        connections=concurrency,
        domains=max(2 * concurrency, 2),
    )


@contextlib.contextmanager
def count_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Give something that shows how many of how many are done, on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _all: None
        return
    import rich.progress  # noqa: PLC0415, only where somebody sees it
    from rich.console import Console  # noqa: PLC0415

    columns = (
        rich.progress.TextColumn("{task.description}", markup=False),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeElapsedColumn(),
    )
    with rich.progress.Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(what, total=None)
        yield lambda done, every: shown.update(task, completed=done, total=every)
