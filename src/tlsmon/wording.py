"""How tlsmon says numbers, shares and days, in whatever it prints."""

from datetime import date
from typing import Final

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LEAST, _MOST = 0.0001, 0.999
_SMALL: Final = 0.001


def count(number: int, one: str, many: str | None = None) -> str:
    """
    Return a number with its noun.

    >>> count(1, "domain"), count(1200, "domain"), count(2, "policy", "policies")
    ('1 domain', '1,200 domains', '2 policies')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def percent(share: float) -> str:
    """
    Return a share from 0 to 1 with the digits that matter; 0% and 100% stand only for exactly nothing and everything.

    >>> percent(0.972), percent(0.0007), percent(0.00001), percent(0.99999), percent(0.0), percent(1.0)
    ('97.2%', '0.07%', '0.01%', '99.9%', '0%', '100%')
    """
    if share in (0, 1):
        return f"{share:.0%}"
    shown = min(max(share, _LEAST), _MOST)
    return f"{shown:.2%}" if shown < _SMALL else f"{shown:.1%}"


def day(when: date) -> str:
    """Return a day as people write it, whatever the locale: ``3 Nov 2026``."""
    return f"{when.day} {_MONTHS[when.month - 1]} {when.year}"


def span(first: date, last: date) -> str:
    """Return days as people write them: ``16 to 22 Nov 2026``, ``30 Oct to 2 Nov 2026``."""
    begin = f"{first.day} {_MONTHS[first.month - 1]}"
    if first.year != last.year:
        return f"{begin} {first.year} to {day(last)}"
    if first.month != last.month:
        return f"{begin} to {day(last)}"
    return day(last) if first.day == last.day else f"{first.day} to {day(last)}"
