"""``tlsmon check``: is your own domain ready to demand TLS, and to be demanded TLS of?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from tlsmon import api, config, live
from tlsmon.cli import tlsrpt
from tlsmon.cli.exits import Exit
from tlsmon.cli.formats import Format, TableOrJson
from tlsmon.cli.options import Store
from tlsmon.cli.output import say, say_json, say_table
from tlsmon.cli.probing import asking
from tlsmon.live import Answer, Settings

if TYPE_CHECKING:
    from tlsmon.api import TlsrptSummary
    from tlsmon.live import CheckResult

_WORDS: Final = {"fix": "to fix", "unknown": "not tested", "advice": "advice", "good": "good"}
_ANSWERS: Final = {Answer.YES: "ready", Answer.UNKNOWN: "could not be told"}


@asking("concurrency")
def check(
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="Your own domain.")],
    *,
    asked: Settings,
    store: Store = None,
    format_: TableOrJson = Format.TABLE,
) -> None:
    """
    Say whether your own domain is ready for mandatory TLS, or what to fix first; exit code 1 when it is not.

    Where the store has TLS reports about the domain, what others saw is shown besides. It decides nothing, as nobody
    checks who wrote a report.
    """
    reported = api.open(config.resolve(store=store).store).tlsrpt(domain)
    found = live.check(domain, asked)
    if format_ is Format.JSON:
        say_json(document(found, reported))
    else:
        _show(found, reported)
    if not found.ready:
        raise typer.Exit(Exit.NO)


def document(found: CheckResult, reported: TlsrptSummary) -> dict[str, Any]:
    """Return the state as JSON: the answers, the findings, the probe that they stand on, and what others reported."""
    return {
        "domain": found.result.domain,
        "ready": found.ready,
        "can_be_required": str(found.can_be_required),
        "can_require": str(found.can_require),
        "summary": found.summary,
        "findings": [{"weight": str(one.weight), "words": one.words} for one in found.findings],
        "probe": live.document(found.result),
        "reported": tlsrpt.document(reported) if reported.reports else None,
    }


def _show(found: CheckResult, reported: TlsrptSummary) -> None:
    say_table(("", "finding"), [[_WORDS[one.weight], one.words] for one in found.findings])
    if reported.reports:
        say("")
        say("What others reported of sending there:")
        tlsrpt.show(reported)
    say("")
    say(f"Others can require TLS of {found.result.domain}: {_ANSWERS.get(found.can_be_required, 'not yet')}.")
    say(f"{found.result.domain} can require TLS of others: {_ANSWERS.get(found.can_require, 'not yet')}.")
    say(found.summary)
