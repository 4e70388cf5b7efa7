"""The output formats, and which command offers which."""

from enum import StrEnum
from typing import Annotated, Final, TypeAlias

import typer

from tlsmon.config import SettingError

_PARAMETER: Final = "format_"


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
    def _none_of(text: str) -> SettingError:
        return SettingError(f"{text!r} is not a format here.", hint=f"Use one of {', '.join(formats)}.")

    def known(text: str) -> Format:
        try:
            return Format(text)
        except ValueError:
            raise _none_of(text) from None

    def offered(context: typer.Context, value: Format) -> Format:
        if value in formats:
            return value
        source = context.get_parameter_source(_PARAMETER)
        if source is None or source.name != "ENVIRONMENT":
            raise _none_of(value.value)
        # The variable holds for all commands: those that lack its format do as if it was not set.
        return Format((context.default_map or {}).get(_PARAMETER, Format.TABLE))

    names = "|".join(formats)
    return typer.Option(
        "--format",
        parser=known,
        callback=offered,
        metavar=names,
        envvar="TLSMON_FORMAT",
        help="For people or for programs.",
    )


TableOrJson: TypeAlias = Annotated[Format, _one_of(Format.TABLE, Format.JSON)]
TableJsonCsv: TypeAlias = Annotated[Format, _one_of(Format.TABLE, Format.JSON, Format.CSV)]
TableJsonCsvPrometheus: TypeAlias = Annotated[Format, _one_of(Format.TABLE, Format.JSON, Format.CSV, Format.PROMETHEUS)]
TableJsonJsonlCsv: TypeAlias = Annotated[Format, _one_of(Format.TABLE, Format.JSON, Format.JSONL, Format.CSV)]
