"""The options that several commands share, each defined once."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

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
    typer.Option(help="Where the store is. Else TLSMON_STORE, /var/lib/tlsmon (root) or ~/.local/share/tlsmon."),
]
Host: TypeAlias = Annotated[
    str | None,
    typer.Option(help="The reporting host of logs that name none (an Exim main log). Else TLSMON_HOST."),
]
Timezone: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="Zone of time stamps without one, such as Europe/Berlin. Else TLSMON_TIMEZONE, or this machine's."
    ),
]
Internet: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NET",
        help="Count this private network as internet (a lab, a partner behind a VPN); may be repeated. "
        "Else TLSMON_INTERNET.",
    ),
]
UnreadFile: TypeAlias = Annotated[
    Path | None,
    typer.Option("--unread", metavar="FILE", help="Write the lines that look relevant and could not be read here."),
]
