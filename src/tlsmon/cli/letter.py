"""``tlsmon letter``: to a partner's postmaster, with the evidence; printed, never sent."""

from typing import Annotated

import typer

from tlsmon import api, config
from tlsmon.cli.exits import Exit
from tlsmon.cli.files import written_to
from tlsmon.cli.judging import Asked, judging
from tlsmon.cli.options import Output, Store
from tlsmon.cli.output import say_lines, tell


@judging("max_share", "min_mails", "confidence", "queue_days", "no_probe", "probe_days", "sender_validates", "in_force")
def letter(
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="The recipient domain.")],
    *,
    store: Store = None,
    asked: Asked,
    output: Output = None,
) -> None:
    """Print a letter to the postmaster of a domain: what their servers do, since when, what to change. Never sent."""
    window = (asked.days, asked.as_of)
    found = api.open(config.resolve(store=store).store).letter(domain, asked.level, asked.thresholds, *window)
    if found.text is None:
        tell(f"tlsmon: there is nothing to write to {found.domain}: {found.why}.")
        raise typer.Exit(Exit.NO)
    with written_to(output):
        say_lines(found.text)
