"""The options of the commands that ask live, and what they come to."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from tlsmon.cli.spread import spread
from tlsmon.live import Settings

_DEFAULTS: Final = Settings()

Resolver: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ADDRESS",
        envvar="TLSMON_RESOLVER",
        help="Name server to ask, such as 127.0.0.1 or [::1]:5353; may be repeated. Else this machine's. For DNSSEC it "
        "must validate, and be near.",
    ),
]
CaFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        envvar="TLSMON_CA_FILE",
        help="Authorities to trust (PEM): those of the mail server. Else this machine's.",
    ),
]


def asking(*without: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """
    Give a command the options of all that ask, in the place of its parameter ``asked``, which gets them as Settings.

    ``without``: options that make no sense for it; they keep their defaults.
    """
    return spread(_asked, *without)


def _asked(
    *,
    resolver: Resolver = None,
    ca_file: CaFile = None,
    helo: Annotated[
        str | None,
        typer.Option(metavar="NAME", envvar="TLSMON_HELO", help="Name to greet with. Else this machine's."),
    ] = None,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Connect to private and loopback addresses, too.")
    ] = False,
    ipv6: Annotated[
        bool | None, typer.Option("--ipv6/--no-ipv6", help="Ask IPv6 addresses, too. Else if this machine has a route.")
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="For one connection, from connect to quit.")
    ] = _DEFAULTS.conversation_seconds,
    time_limit: Annotated[
        float,
        typer.Option(min=1, metavar="SECONDS", help="For everything; what is not done by then could not be told."),
    ] = _DEFAULTS.total_seconds,
    concurrency: Annotated[
        int, typer.Option(min=1, max=500, help="Connections at a time; never more than one for each address.")
    ] = _DEFAULTS.connections,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the MX hosts.")] = _DEFAULTS.port,
    https_port: Annotated[int, typer.Option(min=1, max=65535, hidden=True)] = _DEFAULTS.https_port,
) -> Settings:
    """Return what the options ask for; the one place where they and their defaults are listed."""
    return Settings(
        port=port,
        allow_private=allow_private,
        ipv6=ipv6,
        nameservers=tuple(resolver or ()),
        https_port=https_port,
        ca_file=str(ca_file) if ca_file else None,
        helo=helo,
        lookup_seconds=min(_DEFAULTS.lookup_seconds, timeout),
        conversation_seconds=timeout,
        total_seconds=time_limit,
        connections=concurrency,
        domains=2 * concurrency,
    )


@contextlib.contextmanager
def count_bar(what: str, *, streams: bool) -> Iterator[Callable[[int, int], None]]:
    """
    Give something that shows how many of how many are done, on standard error, where that is a terminal.

    ``streams``: results are printed meanwhile; then not where both would meet on one terminal.
    """
    if not sys.stderr.isatty() or (streams and sys.stdout.isatty()):
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
    shown = rich.progress.Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,  # rich would take the results for its own
        redirect_stderr=False,
    )
    with shown:
        task = shown.add_task(what, total=None)
        yield lambda done, every: shown.update(task, completed=done, total=every)
