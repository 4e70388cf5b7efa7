"""``tlsmon watch``: enforced domains that now fail, and the policy lines to take out before mail is lost."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tlsmon import api, config
from tlsmon.api import Advice, Failing, LocalFault, Watch
from tlsmon.cli.exits import Exit
from tlsmon.cli.formats import Format, TableOrJson
from tlsmon.cli.judging import AsOf, QueueDays, utc
from tlsmon.cli.options import Store
from tlsmon.cli.output import moment, say, say_json, say_table, tell
from tlsmon.cli.tables import Mta, read_table
from tlsmon.config import SettingError
from tlsmon.wording import count

_TIMES = ("oldest", "newest", "last_success", "bounce_at")
_HEADER = ("domain", "advice", "deferred attempts", "lost mails", "failing since", "bounces at", "why")


def watch(
    *,
    store: Store = None,
    days: Annotated[
        int, typer.Option(min=1, envvar="TLSMON_WATCH_DAYS", help="How many days of the store to look at.")
    ] = 14,
    as_of: AsOf = None,
    queue_days: QueueDays = 5.0,
    policy: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            envvar="TLSMON_POLICY",
            help="Look at the lines of this policy in use alone, and name them by number: "
            "Postfix's smtp_tls_policy_maps as text, or with --mta exim a list of domains.",
        ),
    ] = None,
    mta: Annotated[Mta, typer.Option(help="The mail server that the policy is for.")] = Mta.POSTFIX,
    format_: TableOrJson = Format.TABLE,
) -> None:
    """Say which domains fail for TLS now, and which policy lines to take out; exit code 1 if there is one."""
    if days <= queue_days:
        raise SettingError(
            f"{days} days do not reach back over a queue lifetime of {queue_days:g}.", hint="Give a larger --days."
        )
    governing = api.in_use(mta, read_table(policy)) if policy else None
    for problem in governing.problems if governing else ():
        tell(f"tlsmon: warning: {policy}, line {problem.line}: {problem.reason}.")
    found = api.open(config.resolve(store=store).store).watch(days, utc(as_of), queue_days, governing)
    if format_ is Format.JSON:
        say_json(document(found))
    else:
        _show(found, policy)
    _tell_local(found)
    if _to_take_out(found):
        raise typer.Exit(Exit.NO)


def document(found: Watch) -> dict[str, Any]:
    """Return what fails as JSON: ISO 8601 times, null where there is none."""
    return {
        "failing": [
            item._asdict() | _moments(item, _TIMES) | {"rule": item.rule and item.rule._asdict()}
            for item in found.failing
        ],
        "local": [
            item.sender._asdict()
            | {"cause": item.cause, "attempts": item.attempts, "domains": item.domains}
            | _moments(item, ("first", "last"))
            for item in found.local
        ],
    }


def _moments(item: Failing | LocalFault, names: tuple[str, ...]) -> dict[str, str | None]:
    return {name: moment(api.last_seen(getattr(item, name))) for name in names}


def _to_take_out(found: Watch) -> list[Failing]:
    return [item for item in found.failing if item.advice is Advice.REMOVE]


def _show(found: Watch, policy: Path | None) -> None:
    under = f" under {policy}" if policy else ""
    failing = len(found.failing)
    if not failing:
        say(f"No domain{under} fails for TLS since its last success.")
        return
    say(
        f"{count(failing, 'domain')}{under} {'fails' if failing == 1 else 'fail'} for TLS since the last success; "
        f"{_what_to_do(_to_take_out(found), policy)}."
    )
    say("")
    if policy is None:
        say_table(_HEADER, [_cells(item) for item in found.failing])
    else:
        say_table(("line", *_HEADER), [[item.rule and item.rule.line, *_cells(item)] for item in found.failing])


def _what_to_do(urgent: list[Failing], policy: Path | None) -> str:
    if not urgent:
        return "nothing is to be done yet"
    if policy is None:
        return f"take out {count(len(urgent), 'policy line')} now"
    rules = {item.rule for item in urgent if item.rule}
    named = ", ".join(f"{rule.line} ({rule.key})" for rule in sorted(rules))
    return f"take out now the line{'s' * (len(rules) > 1)} {named}"


def _cells(item: Failing) -> list[str | int | None]:
    since, bounce = _minute(item.oldest), _minute(item.bounce_at)
    causes = ", ".join(item.causes)
    return [item.domain, str(item.advice), item.deferred, item.lost, since, bounce, f"{item.reason} ({causes})"]


def _minute(time: int | None) -> str | None:
    at = api.last_seen(time)
    return f"{at:%Y-%m-%d %H:%M}" if at else None


def _tell_local(found: Watch) -> None:
    """Tell what is the sender's own fault: no line of a domain is to be taken out for it."""
    for item in found.local:
        where = " ".join(filter(None, (item.sender.mta, item.sender.host, item.sender.instance)))
        tell(
            f"tlsmon: warning: {where}: {count(item.attempts, 'attempt')} to {count(item.domains, 'domain')} failed "
            f"for a reason of your own ({item.cause}), last at {_minute(item.last)} UTC; "
            "look at its TLS settings and policy tables."
        )
