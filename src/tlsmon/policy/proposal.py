"""What a policy is made from: the domains that are safe, and what is known of those that lose mail."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from maillog.model import Level as AnyLevel
from tlsmon.evidence.columns import Columns
from tlsmon.evidence.looks import Looks
from tlsmon.policy import canary as canaries
from tlsmon.policy import diff, exim, postfix
from tlsmon.policy.canary import Canary
from tlsmon.policy.diff import Difference, Kind
from tlsmon.policy.exim import Configuration
from tlsmon.policy.model import Enforcement
from tlsmon.policy.postfix import Written
from tlsmon.verdict.model import Judgement, Level, Thresholds, Verdict
from tlsmon.verdict.recommend import Recommendation, Window
from tlsmon.verdict.watch import Advice, failed_in, watch
from tlsmon.verdict.window import recommend_window


class Proposal(NamedTuple):
    """What a policy is made from."""

    recommendation: Recommendation
    losing: Mapping[str, str]
    """Domain -> why mail is lost under any mandatory level, or is being lost under the line in use."""
    refusing: frozenset[str]
    """Domains with a server that bounced mail by refusing STARTTLS: a canary would lose mail there."""
    mtas: frozenset[str]
    """The programs whose logs the verdicts rest on."""

    @property
    def safe(self) -> list[Judgement]:
        """The only domains that go into a policy; none while all is held or goes to a smarthost."""
        found = self.recommendation
        return [] if found.held or found.smarthost else found.verdicts(Verdict.SAFE)

    @property
    def enforcements(self) -> list[Enforcement]:
        """The safe domains as what shall be enforced."""
        level = self.recommendation.level
        return [Enforcement(item.domain, level, "; ".join(item.reasons)) for item in self.safe]

    def for_postfix(self, path: str | None = None) -> Written:
        """Return smtp_tls_policy_maps; None: the usual path. Raises PolicyError where Postfix rejects it."""
        return postfix.render(self.enforcements, path=path or postfix.TABLE)

    def for_exim(self, folder: str | None = None) -> Configuration:
        """Return lists and routers; None: the usual folder. Raises PolicyError for one Exim reads otherwise."""
        return exim.render(self.enforcements, folder=folder or exim.FOLDER)

    def against(self, mta: str, text: str) -> Difference:
        """Return the difference to a Postfix table, or to Exim's list of domains for the level, that is in use."""
        if mta == "exim":
            return diff.against_exim(text, AnyLevel(self.recommendation.level), self.enforcements, self.losing)
        return diff.against_postfix(text, self.enforcements, self.losing)

    def canary(self, share: float, path: str | None = None, in_use: str = "") -> Canary:
        """
        Return tables that enforce for a share of connections, see :func:`tlsmon.policy.canary.canary`.

        Only domains that ``in_use``, the text of the table in use, says nothing about, and none that may bounce at
        once. Raises PolicyError for a share or path that cannot be.
        """
        difference = self.against("postfix", in_use)
        new = {change.key for change in difference.changes if change.kind is Kind.ADD} - self.refusing
        chosen = [each for each in self.enforcements if each.domain.lower() in new]
        return canaries.canary(chosen, share, path=path or canaries.PATH)._replace(rejected=difference.rejected)


def propose(  # noqa: PLR0913
    found: Columns,
    level: Level,
    window: Window,
    asked: Thresholds,
    provider: Callable[[str], str | None],
    *,
    looks: Looks | None = None,
) -> Proposal:
    """Return what a policy at a level is made from: the attempts of the window, and what probes found."""
    at_level = recommend_window(found, level, window, asked, provider, looks=looks)
    # A line in use may be at another level: only what loses at the lowest mandatory one loses under every line.
    lowest = at_level if level is Level.ENCRYPT else recommend_window(found, Level.ENCRYPT, window, asked, provider)
    losing = {} if lowest.held else _losing(lowest, found, window, asked.queue_days)
    return Proposal(at_level, losing, _refusing(found), frozenset(kind.sender.mta for kind in found.kinds))


def _losing(lowest: Recommendation, found: Columns, window: Window, queue_days: float) -> Mapping[str, str]:
    """Return what no mandatory level could deliver, and what a line in use is losing right now."""
    failing = watch(failed_in(found), None, int(window.until.timestamp() * 1_000_000), queue_days).failing
    reasons = {item.domain: item.reason for item in failing if item.advice is Advice.REMOVE}
    return reasons | {item.domain: "; ".join(item.reasons) for item in lowest.verdicts(Verdict.LOSES)}


def _refusing(found: Columns) -> frozenset[str]:
    """Return the domains that use an address which bounced anybody's mail by refusing STARTTLS."""
    bounced = found.where(lambda kind: kind.cause == "tls_refused" and kind.outcome == "bounced")
    at_such = np.isin(found.address, found.address[bounced])
    return frozenset(found.domains[code] for code in np.unique(found.domain[at_such]).tolist())
