"""The output formats, and which command offers which."""

from enum import StrEnum
from typing import Annotated, TypeAlias

import typer

from tlsmon.config import SettingError


class Format(StrEnum):
    """How results are printed."""

    TABLE = "table"
    """For people."""
    JSON = "json"
    JSONL = "jsonl"
    """One JSON object a line, as it comes."""
    CSV = "csv"
    PROMETHEUS = "prometheus"
    """Metrics in the text format of Prometheus."""


def _one_of(*formats: Format) -> object:
    def checked(text: str) -> Format:
        if text in formats:
            return Format(text)
        raise SettingError(f"{text!r} is not a format here.", hint=f"Use one of {', '.join(formats)}.")

    names = "|".join(formats)
    return typer.Option(
        "--format", parser=checked, metavar=names, envvar="TLSMON_FORMAT", help="For people or for programs."
    )


TableOrJson: TypeAlias = Annotated[Format, _one_of(Format.TABLE, Format.JSON)]
TableJsonCsv: TypeAlias = Annotated[Format, _one_of(Format.TABLE, Format.JSON, Format.CSV)]
TableJsonCsvPrometheus: TypeAlias = Annotated[Format, _one_of(Format.TABLE, Format.JSON, Format.CSV, Format.PROMETHEUS)]
TableJsonJsonlCsv: TypeAlias = Annotated[Format, _one_of(Format.TABLE, Format.JSON, Format.JSONL, Format.CSV)]
