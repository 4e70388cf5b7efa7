"""The options that several commands share, each defined once."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from tlsmon.api import Direction

Logs: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        metavar="LOG...",
        help="Mail logs, plain or compressed; quoted patterns; - for standard input (also journalctl -o json).",
        show_default=False,
    ),
]
Store: TypeAlias = Annotated[
    str | None,
    typer.Option(
        envvar="TLSMON_STORE", help="Where the store is. Else /var/lib/tlsmon (root) or ~/.local/share/tlsmon."
    ),
]
Host: TypeAlias = Annotated[
    str | None,
    typer.Option(envvar="TLSMON_HOST", help="The reporting host of logs that name none (an Exim main log)."),
]
Timezone: TypeAlias = Annotated[
    str | None,
    typer.Option(
        envvar="TLSMON_TIMEZONE",
        help="Zone of time stamps without one, such as Europe/Berlin. Else this machine's.",
    ),
]
Internet: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NET",
        envvar="TLSMON_INTERNET",
        help="Count this private network as internet (a lab, a partner behind a VPN); may be repeated.",
    ),
]
DirectionOption: TypeAlias = Annotated[
    Direction,
    typer.Option("--direction", help="Mail that was sent, or mail that came in: domains are then the senders'."),
]
UnreadFile: TypeAlias = Annotated[
    Path | None,
    typer.Option("--unread", metavar="FILE", help="Write the lines that look relevant and could not be read here."),
]
Output: TypeAlias = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write here, whole or not at all, not to standard output."),
]
Exceptions: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        envvar="TLSMON_EXCEPTIONS",
        help="TOML register of domains to leave: domain, owner, reason, expires.",
    ),
]
