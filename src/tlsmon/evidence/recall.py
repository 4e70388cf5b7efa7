"""Rows of the store's second table -> looks."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from tlsmon.evidence.looks import Look, LookedAt, Looks, gathered
from tlsmon.store.probes import ADDRESS, ANSWERS, Probes

_PLAIN: Final = LookedAt._fields[:-1]
_LEVELS: Final = tuple(name.replace("_", "-") for name in ANSWERS)


def looks(store: str, days: float, end: datetime, *, fixed: bool) -> Looks | None:
    """
    Return the looks of the ``days`` before ``end`` (aware) in a store; None where there are none, and for 0 days.

    Unless ``fixed``, the end is moved to the last look where that is later: logs are often read a day after. Raises
    StoreError.
    """
    if not days:
        return None
    age = timedelta(days=days)
    shared = _Shared()
    found = [shared.look(row) for row in Probes(store).between(end - age, end if fixed else None)]
    moment = max([end, *(look.time for look in found)])
    return gathered([look for look in found if look.time >= moment - age], moment) if found else None


class _Shared:
    """Makes looks of rows; what is equal in many of them is held once."""

    def __init__(self) -> None:
        self._addresses: dict[tuple[Any, ...], LookedAt] = {}
        self._answers: dict[tuple[str, ...], Mapping[str, str]] = {}

    def look(self, row: Mapping[str, Any]) -> Look:
        """Return a look."""
        return Look(
            row["domain"],
            row["time"],
            row["vantage"],
            row["route"],
            row["hosts_left_out"],
            self._answered(row),
            tuple(map(self._address, row["addresses"])),
        )

    def _address(self, values: tuple[Any, ...]) -> LookedAt:
        if values not in self._addresses:
            row = dict(zip(ADDRESS, values, strict=True))
            plain = [row[name] for name in _PLAIN]
            self._addresses[values] = LookedAt._make([*plain, self._answered(row)])
        return self._addresses[values]

    def _answered(self, row: Mapping[str, Any]) -> Mapping[str, str]:
        values = tuple(row[name] for name in ANSWERS)
        if values not in self._answers:
            self._answers[values] = dict(zip(_LEVELS, values, strict=True))
        return self._answers[values]
