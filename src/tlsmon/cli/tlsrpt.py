"""``tlsmon tlsrpt``: what others saw when they sent to you."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tlsmon import api, config
from tlsmon.cli.formats import Format, TableOrJson
from tlsmon.cli.options import Store
from tlsmon.cli.output import moment, say, say_json, say_table

if TYPE_CHECKING:
    from tlsmon.api import TlsrptSummary


def tlsrpt(
    domain: Annotated[
        str | None, typer.Argument(help="One of your domains; none: all that there are reports of.", show_default=False)
    ] = None,
    *,
    store: Store = None,
    format_: TableOrJson = Format.TABLE,
) -> None:
    """Show what others reported of sending to your domains (TLSRPT, RFC 8460). `tlsmon ingest` reads the reports."""
    found = api.open(config.resolve(store=store).store).tlsrpt(domain)
    if format_ is Format.JSON:
        say_json(document(found))
    else:
        show(found)


def document(found: "TlsrptSummary") -> dict[str, Any]:
    """Return what was reported as JSON."""
    return {
        "domain": found.domain,
        "reports": found.reports,
        "organizations": list(found.organizations),
        "first": moment(found.first),
        "last": moment(found.last),
        "policies": [
            {
                "policy_type": policy.policy_type,
                "policy_domain": policy.policy_domain,
                "successful": policy.successful,
                "failed": policy.failed,
                "failures": [
                    {"result_type": failure.result_type, "mx_host": failure.mx_host, "sessions": sessions}
                    for failure, sessions in policy.failures
                ],
            }
            for policy in found.policies
        ],
    }


def show(found: "TlsrptSummary") -> None:
    """Print what was reported."""
    if not found.reports or found.first is None or found.last is None:
        say("No TLS reports are in the store. Bring them in with `tlsmon ingest FILE...`, as they came by mail.")
        return
    reports, who = (
        f"{number:,} {what}{'s' * (number != 1)}"
        for number, what in ((found.reports, "report"), (len(found.organizations), "organisation"))
    )
    say(f"{reports} of {who}, {found.first:%Y-%m-%d} to {found.last:%Y-%m-%d}. Nobody checks who wrote a report.")
    say("")
    say_table(
        ["domain", "policy", "succeeded", "failed"],
        [[one.policy_domain, one.policy_type, one.successful, one.failed] for one in found.policies],
    )
    failures = [(one, *failure) for one in found.policies for failure in one.failures]
    if failures:
        say("")
        say_table(
            ["domain", "policy", "failure", "mx host", "sessions"],
            [
                [one.policy_domain, one.policy_type, failure.result_type, failure.mx_host, sessions]
                for one, failure, sessions in failures
            ],
        )
