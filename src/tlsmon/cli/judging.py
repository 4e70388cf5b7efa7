"""The options that say how much certainty is asked for, shared by all commands that judge."""

from datetime import UTC, datetime
from typing import Annotated, TypeAlias

import typer

from tlsmon.api import Level, Thresholds

Protocols = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_DEFAULTS = Thresholds()

LevelOption: TypeAlias = Annotated[Level, typer.Option(help="The level that is to be enforced.")]
Days: TypeAlias = Annotated[int, typer.Option(min=1, help="How many days of the store to judge by.")]
MaxShare: TypeAlias = Annotated[
    float,
    typer.Option(
        min=0, max=1, help="Largest share of mail that may fail, by its upper bound; 1: by what was seen alone."
    ),
]
MinMails: TypeAlias = Annotated[int, typer.Option(min=0, help="Fewer mails in the window are not enough to judge.")]
Confidence: TypeAlias = Annotated[float, typer.Option(min=0.5, max=0.9999, help="Of the upper bound.")]
OldestProtocol: TypeAlias = Annotated[
    str,
    typer.Option(metavar="|".join(Protocols), help="Oldest protocol that smtp_tls_mandatory_protocols admits."),
]
AsOf: TypeAlias = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Judge as of this time (UTC), not of the store's end."
    ),
]


def thresholds(max_share: float, min_mails: int, confidence: float, oldest_protocol: str) -> Thresholds:
    """Return the thresholds that the options ask for."""
    if oldest_protocol not in Protocols:
        raise typer.BadParameter(
            f"{oldest_protocol!r} is none of {', '.join(Protocols)}", param_hint="--oldest-protocol"
        )
    return _DEFAULTS._replace(
        max_share=max_share, min_mails=min_mails, confidence=confidence, oldest_protocol=oldest_protocol
    )


def utc(time: datetime | None) -> datetime | None:
    """Return a time of an option with its zone."""
    return time and time.replace(tzinfo=UTC)
