"""``tlsmon policy``: what is safe, as configuration for Postfix or Exim."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tlsmon import api, config
from tlsmon.api import Level
from tlsmon.cli import files
from tlsmon.cli.exits import Exit
from tlsmon.cli.judging import Asked, judging
from tlsmon.cli.options import Store
from tlsmon.cli.output import tell
from tlsmon.cli.tables import SURROGATES, Mta, read_table
from tlsmon.config import SettingError

if TYPE_CHECKING:
    from tlsmon.api import Canary, Proposal


MtaOption = Annotated[Mta, typer.Option(help="The mail server that the policy is for.")]
Against = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Show the difference to this table in use (Exim: to its list of domains for the level), with reasons.",
    ),
]
Merged = Annotated[bool, typer.Option("--merged", help="With --against: print the table in use with the changes made.")]
CanaryShare = Annotated[
    float | None,
    typer.Option(
        "--canary", min=0.01, max=1, metavar="SHARE", help="Enforce for this share of connections only (Postfix)."
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE|FOLDER",
        help="Write here: a file; for Exim the folder with all its files; for a canary the name its tables begin with.",
    ),
]


@judging()
def policy(
    *,
    store: Store = None,
    mta: MtaOption = Mta.POSTFIX,
    against: Against = None,
    merged: Merged = False,
    canary: CanaryShare = None,
    output: Output = None,
    asked: Asked,
) -> None:
    """Write the policy for the domains that are safe at a level, or the difference to the one in use."""
    _check(mta, asked.level, against, merged, canary)
    in_use = read_table(against) if against else None
    window = (asked.days, asked.as_of)
    proposal = api.open(config.resolve(store=store).store).policy(asked.level, asked.thresholds, *window)
    _stop_where_nothing_can_be_written(proposal, in_use)
    _warn(proposal, mta, in_use)
    if canary is not None:
        _write_canary(proposal, canary, in_use, output)
    elif in_use is not None:
        _write_difference(proposal, mta, in_use, output, merged=merged)
    elif mta is Mta.EXIM:
        _write_exim(proposal, output)
    else:
        written = proposal.for_postfix(_full(output))
        _tell_left_out((each.name, each.reason) for each in written.rejected)
        _write(written.text, output)


def _check(mta: Mta, level: Level, against: Path | None, merged: bool, canary: float | None) -> None:
    """Raise SettingError for options that contradict each other."""
    if mta is Mta.EXIM and level is Level.SECURE:
        raise SettingError(
            "Exim has no level secure: it checks the certificate for the MX host's name, never for the domain's.",
            hint="Use --level verify.",
        )
    if mta is Mta.EXIM and canary is not None:
        raise SettingError("A canary is made of Postfix's randmap; Exim has none.", hint="Leave out --canary.")
    if merged and (against is None or canary is not None):
        raise SettingError("--merged needs a table to merge with.", hint="Name it with --against, without --canary.")


def _stop_where_nothing_can_be_written(proposal: Proposal, in_use: str | None) -> None:
    """Exit with "no"; an empty table in the place of a full one would take back all enforcement."""
    found = proposal.recommendation
    if found.held:
        tell(f"tlsmon: nothing is written, all verdicts are HELD: {found.held}.")
    elif found.smarthost:
        tell(
            f"tlsmon: no domain is written: all mail goes through {found.smarthost}, so the policy belongs on this "
            f"next hop, spelt as relayhost or transport_maps spell it. What happens behind it this log cannot tell."
        )
    elif not proposal.safe and in_use is None:
        tell(f"tlsmon: nothing is written, no domain is safe at {found.level}. {api.headline(found)}")
        tell("See the reasons with `tlsmon recommend`; --max-share 1 judges by what was seen alone.")
    else:
        return
    raise typer.Exit(Exit.NO)


def _warn(proposal: Proposal, mta: Mta, in_use: str | None) -> None:
    level = proposal.recommendation.level
    if proposal.mtas and mta not in proposal.mtas:
        tell(
            f"tlsmon: warning: the store holds no mail sent by {mta}; another program may trust other certificates "
            "and use other protocols."
        )
    if mta is Mta.POSTFIX and level == Level.SECURE and in_use is None:
        tell(
            "tlsmon: warning: what is safe at secure is so with the match= names in force now, which no log tells; "
            "give --against with your table, so that they are kept."
        )


def _write_difference(proposal: Proposal, mta: Mta, in_use: str, output: Path | None, *, merged: bool) -> None:
    difference = proposal.against(mta, in_use)
    if merged:
        _tell_left_out((each.name, each.reason) for each in difference.rejected)
        _write(difference.merged, output)
    else:
        _write(api.compared(difference), output)


def _write_exim(proposal: Proposal, folder: Path | None) -> None:
    found = proposal.for_exim(_full(folder))
    _tell_left_out((each.name, each.reason) for each in found.rejected)
    lists = [(each.path, each.text) for each in found.lists]
    if folder:
        _make(folder)
        for name, text in (*lists, ("tlsmon_routers", found.routers), ("tlsmon_transports", found.transports)):
            _write(text, folder / Path(name).name)
        return
    files = [(f"the file {path}", text) for path, text in lists]
    parts = [*files, ("into the section `begin routers`", found.routers)]
    parts.append(("into the section `begin transports`", found.transports))
    _write("\n".join(f"### {place}\n{text}" for place, text in parts), None)


def _write_canary(proposal: Proposal, share: float, in_use: str | None, output: Path | None) -> None:
    found = proposal.canary(share, _full(output), in_use or "")
    safe = {item.domain for item in proposal.safe}
    refusing = ((domain, "a server of it bounced mail by refusing STARTTLS") for domain in safe & proposal.refusing)
    _tell_left_out((*sorted(refusing), *((each.name, each.reason) for each in found.rejected)))
    if not found.tables:
        tell("tlsmon: nothing is written, no domain is left for a canary.")
        raise typer.Exit(Exit.NO)
    _write_tables(found, in_files=output is not None)


def _write_tables(found: Canary, *, in_files: bool) -> None:
    _write(found.instructions, None)
    for table in found.tables:
        _write(table.text if in_files else f"\n{table.text}", Path(table.path) if in_files else None)


def _tell_left_out(names: Iterable[tuple[str, str]]) -> None:
    for name, reason in names:
        tell(f"tlsmon: left out: {name}: {reason}")


def _full(path: Path | None) -> str | None:
    return str(path.absolute()) if path else None


def _write(text: str, path: Path | None) -> None:
    """Write to a file, whole or not at all, as a mail server may be reading it; None: to standard output."""
    content = text.encode("utf-8", SURROGATES)
    if path is None:
        files.print_bytes(content)
        return
    files.write(path, content)
    if not path.exists() or path.is_file():
        tell(f"tlsmon: wrote {path}")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise SettingError(f"{folder}: cannot be made ({error.strerror}).", hint="Name another folder.") from error
