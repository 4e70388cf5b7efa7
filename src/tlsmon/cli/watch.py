"""``tlsmon watch``: enforced domains that now fail, and the policy lines to take out before mail is lost."""

from typing import Annotated, Any

import typer

from tlsmon import api, config
from tlsmon.api import Advice, Failing, LocalFault, Watch
from tlsmon.cli.exits import Exit
from tlsmon.cli.formats import Format, TableOrJson
from tlsmon.cli.judging import AsOf, QueueDays, utc
from tlsmon.cli.options import Store
from tlsmon.cli.output import moment, say, say_json, say_table, tell
from tlsmon.config import SettingError

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
    format_: TableOrJson = Format.TABLE,
) -> None:
    """Say which domains fail for TLS now, and which policy lines to take out; exit code 1 if there is one."""
    if days <= queue_days:
        raise SettingError(
            f"{days} days do not reach back over a queue lifetime of {queue_days:g}.", hint="Give a larger --days."
        )
    found = api.open(config.resolve(store=store).store).watch(days, utc(as_of), queue_days)
    if format_ is Format.JSON:
        say_json(document(found))
    else:
        _show(found)
    _tell_local(found)
    if _to_take_out(found):
        raise typer.Exit(Exit.NO)


def document(found: Watch) -> dict[str, Any]:
    """Return what fails as JSON: ISO 8601 times, null where there is none."""
    return {
        "failing": [item._asdict() | _moments(item, _TIMES) for item in found.failing],
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


def _show(found: Watch) -> None:
    if not found.failing:
        say("No domain fails for TLS since its last success.")
        return
    urgent = len(_to_take_out(found))
    say(
        f"{len(found.failing):,} domains fail for TLS since their last success; take out {urgent:,} policy lines now."
        if urgent
        else f"{len(found.failing):,} domains fail for TLS since their last success; nothing is to be done yet."
    )
    say("")
    say_table(_HEADER, [_cells(item) for item in found.failing])


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
            f"tlsmon: warning: {where}: {item.attempts:,} attempts to {item.domains:,} domains failed for a reason of "
            f"your own ({item.cause}), last at {_minute(item.last)} UTC; look at its TLS settings and policy tables."
        )
