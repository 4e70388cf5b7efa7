"""What the doctor finds."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple


class Weight(StrEnum):
    """How much a finding matters."""

    MISSING = "missing"
    """Without it there is no verdict at the level that was asked for, or it may be wrong."""
    WARNING = "warning"
    """A verdict can be given; something may still go wrong, or is known less well."""
    NOTE = "note"
    """Nothing is wrong; there is something to do before or when TLS is enforced."""


class Finding(NamedTuple):
    """One thing, and how to put it right."""

    weight: Weight
    about: str
    """The setting or the matter; two findings about the same are one."""
    text: str
    """What is so, and what follows from it."""
    where: str | None = None
    """The file or the part of it that ``lines`` go to."""
    lines: tuple[str, ...] = ()
    """To be added as they are."""
    then: str | None = None
    """The command that makes them count."""


class Diagnosis(NamedTuple):
    """All that was looked at and found."""

    level: str
    looked_at: tuple[str, ...]
    """Logs and configurations, in words."""
    has_log: bool
    notes: tuple[str, ...]
    """What was not looked at, and why."""
    findings: tuple[Finding, ...]
    """The heaviest first."""

    @property
    def is_enough(self) -> bool:
        """Tell whether nothing is missing for a verdict."""
        return all(finding.weight is not Weight.MISSING for finding in self.findings)


def merged(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return one finding about each matter, the first of the heaviest, the heaviest matters first."""
    weights = list(Weight)
    first: dict[str, Finding] = {}
    for finding in sorted(findings, key=lambda one: weights.index(one.weight)):
        first.setdefault(finding.about, finding)
    return tuple(first.values())
