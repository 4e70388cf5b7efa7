"""Rows of the store's second table -> looks."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tlsmon.evidence.looks import Look, LookedAt, Looks, gathered
from tlsmon.store.probes import ANSWERS, Probes


def looks(store: str, days: float, end: datetime, *, fixed: bool) -> Looks | None:
    """
    Return the looks of the ``days`` before ``end`` (aware) in a store; None where there are none, and for 0 days.

    Unless ``fixed``, the end is moved to the last look where that is later: logs are often read a day after. Raises
    StoreError.
    """
    if not days:
        return None
    age = timedelta(days=days)
    found = [_look(row) for row in Probes(store).between(end - age, end if fixed else None)]
    moment = max([end, *(look.time for look in found)])
    return gathered([look for look in found if look.time >= moment - age], moment) if found else None


def _look(row: Mapping[str, Any]) -> Look:
    return Look(
        row["domain"],
        row["time"],
        row["vantage"],
        row["route"],
        row["hosts_left_out"],
        _answers(row),
        tuple(_address(each) for each in row["addresses"]),
    )


def _address(row: Mapping[str, Any]) -> LookedAt:
    return LookedAt(
        row["host"],
        row["preference"],
        row["ip"],
        row["port"],
        row["ending"],
        row["trust"],
        row["not_after"],
        _answers(row),
    )


def _answers(row: Mapping[str, Any]) -> dict[str, str]:
    return {name.replace("_", "-"): row[name] for name in ANSWERS}
