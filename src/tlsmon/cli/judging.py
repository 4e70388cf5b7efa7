"""The options that say what is judged and how much certainty is asked for, the same for all commands that judge."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Final, NamedTuple, TypeAlias

import typer

from tlsmon.api import Level, Thresholds
from tlsmon.cli.spread import spread

PROTOCOLS: Final = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
IN_FORCE: Final = ("dane", "verify", "secure")

AsOf: TypeAlias = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Judge as of this time (UTC), not of the store's end."
    ),
]
Days: TypeAlias = Annotated[
    int, typer.Option(min=1, envvar="TLSMON_DAYS", help="How many days of the store to judge by.")
]
LevelOption: TypeAlias = Annotated[Level, typer.Option(envvar="TLSMON_LEVEL", help="The level that is to be enforced.")]
MaxShare: TypeAlias = Annotated[
    float,
    typer.Option(
        min=0,
        max=1,
        envvar="TLSMON_MAX_SHARE",
        help="Largest share of mail that may fail, by its upper bound; 1: by what was seen alone.",
    ),
]
OldestProtocol: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="|".join(PROTOCOLS),
        envvar="TLSMON_OLDEST_PROTOCOL",
        help="Oldest protocol that smtp_tls_mandatory_protocols admits.",
    ),
]
QueueDays: TypeAlias = Annotated[
    float,
    typer.Option(
        min=0.01,
        envvar="TLSMON_QUEUE_DAYS",
        help="Days until waiting mail bounces: Postfix's maximal_queue_lifetime.",
    ),
]
NoProbe: TypeAlias = Annotated[
    bool, typer.Option("--no-probe", help="Judge by the log alone, not by what `tlsmon probe` found.")
]
ProbeDays: TypeAlias = Annotated[
    float, typer.Option(min=0, envvar="TLSMON_PROBE_DAYS", help="How old a probe may be to count, in days.")
]
SenderValidates: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--sender-validates",
        envvar="TLSMON_SENDER_VALIDATES",
        help="For dane-only: the mail server uses DNSSEC (smtp_dns_support_level = dnssec and a validating "
        "resolver), though its log does not show it.",
    ),
]
InForce: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="|".join(IN_FORCE),
        envvar="TLSMON_IN_FORCE",
        help="smtp_tls_security_level in force, where logs do not state it (Postfix before 3.11). Only if no policy "
        "line asks for another level that verifies.",
    ),
]


class Asked(NamedTuple):
    """What the options ask for."""

    level: Level
    days: int
    as_of: datetime | None
    """Aware; None: the end of the store."""
    thresholds: Thresholds


def judging(*without: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """
    Give a command the options of all that judge, in the place of its parameter ``asked``, which gets them as Asked.

    ``without``: options that make no sense for it; they keep their defaults.
    """
    return spread(_asked, *without)


def _asked(
    *,
    level: LevelOption = Level.ENCRYPT,
    days: Days = 30,
    as_of: AsOf = None,
    max_share: MaxShare = 0.01,
    min_mails: Annotated[
        int,
        typer.Option(min=0, envvar="TLSMON_MIN_MAILS", help="Fewer mails in the window are not enough to judge."),
    ] = 1,
    confidence: Annotated[
        float, typer.Option(min=0.5, max=0.9999, envvar="TLSMON_CONFIDENCE", help="Of the upper bound.")
    ] = 0.95,
    oldest_protocol: OldestProtocol = "TLSv1",
    queue_days: QueueDays = 5.0,
    no_probe: NoProbe = False,
    probe_days: ProbeDays = 7.0,
    sender_validates: SenderValidates = False,
    in_force: InForce = None,
) -> Asked:
    """Return what the options ask for; the one place where they and their defaults are listed."""
    if oldest_protocol not in PROTOCOLS:
        raise typer.BadParameter(
            f"{oldest_protocol!r} is none of {', '.join(PROTOCOLS)}", param_hint="--oldest-protocol"
        )
    if in_force not in (None, *IN_FORCE):
        raise typer.BadParameter(f"{in_force!r} is none of {', '.join(IN_FORCE)}", param_hint="--in-force")
    thresholds = Thresholds()._replace(
        max_share=max_share,
        min_mails=min_mails,
        confidence=confidence,
        oldest_protocol=oldest_protocol,
        queue_days=queue_days,
        probe_days=0.0 if no_probe else probe_days,
        sender_validates=sender_validates,
        in_force=in_force,
    )
    return Asked(level, days, utc(as_of), thresholds)


def utc(time: datetime | None) -> datetime | None:
    """Return a time of an option with its zone."""
    return time and time.replace(tzinfo=UTC)
