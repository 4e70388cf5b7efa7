"""Options that several commands share as a group, listed and defined in one place."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, Final

_ASKED: Final = "asked"


def spread(make: Callable[..., Any], *without: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """
    Give a command the options that ``make`` has as parameters, in the place of its own parameter ``asked``.

    The command gets as ``asked`` what ``make`` returns for them. ``without``: options that make no sense for the
    command; they keep their defaults.
    """

    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)
        shared = inspect.signature(make, eval_str=True).parameters
        offered = [parameter for name, parameter in shared.items() if name not in without]

        @functools.wraps(command)
        def called(**values: Any) -> None:
            given = {parameter.name: values.pop(parameter.name) for parameter in offered}
            command(**values, asked=make(**given))

        parameters: list[inspect.Parameter] = []
        for parameter in own.parameters.values():
            parameters += offered if parameter.name == _ASKED else [parameter]
        called.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined] # typer reads it
        called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return called

    return decorated
