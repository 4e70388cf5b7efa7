"""
From counts to an upper bound of the share of bad sessions.

The model (docs/model.md): sessions of an address are bad with an unknown share; the bound is the quantile of the Beta
posterior of a prior that counts one bad session in advance. That is the bound of Clopper and Pearson (1934), which is
exceeded at most as often as stated, whatever the true share.

An address may borrow its provider's evidence: it is of its provider's kind or of its own. With H other addresses of the
provider, all good, a further one is of another kind with a chance of 1/(H+2) (Laplace), and then at least half of its
sessions are bad, so g good ones make that 2**g times less likely. If what remains is below 1 - confidence, the
provider's sessions count as the address's own.
"""

from functools import lru_cache
from typing import NamedTuple

KIND_SHARE = 0.02
"""An address with a larger share of bad sessions is not of the good kind."""


class Counts(NamedTuple):
    """Sessions of one address."""

    good: int
    bad: int

    @property
    def is_good(self) -> bool:
        """Tell whether the address is of the good kind."""
        return self.good > 0 and self.bad <= KIND_SHARE * (self.good + self.bad)


class Pool(NamedTuple):
    """What is known of a provider's addresses together. Pools add."""

    addresses: int = 0
    good_addresses: int = 0
    good: int = 0
    """Sessions of the good addresses."""
    bad: int = 0

    def with_address(self, counts: Counts, times: int = 1) -> "Pool":
        """Return the pool with one address more, or with ``times = -1`` without one that it holds."""
        if not counts.is_good:
            return self._replace(addresses=self.addresses + times)
        return Pool(
            self.addresses + times,
            self.good_addresses + times,
            self.good + times * counts.good,
            self.bad + times * counts.bad,
        )


def upper_bound(own: Counts, others: Pool, confidence: float) -> float:
    """
    Return the one-sided upper bound of the share of bad sessions, 0 to 1; never 0 itself.

    ``others`` are the other addresses of the provider.

    >>> round(upper_bound(Counts(412, 0), Pool(), 0.95), 4)
    0.0072
    >>> upper_bound(Counts(2, 0), Pool(40, 40, 40_000, 0), 0.95) < 0.0001
    True
    """
    pooled = own if own.bad else _borrowed(own, others, confidence)
    if pooled.good == 0:
        return 1.0
    if pooled.bad == 0:
        return float(1 - (1 - confidence) ** (1 / pooled.good))  # what the quantile is then
    return _beta_quantile(confidence, 1 + pooled.bad, pooled.good)


def _borrowed(own: Counts, others: Pool, confidence: float) -> Counts:
    other_kind = (others.addresses - others.good_addresses + 1) / (others.addresses + 2)
    # Beyond 60 sessions the chance is nil and the power would only grow.
    if other_kind * 0.5 ** min(own.good, 60) > 1 - confidence:
        return own
    return Counts(own.good + others.good, own.bad + others.bad)


@lru_cache(maxsize=100_000)
def _beta_quantile(share: float, alpha: float, beta: float) -> float:
    from scipy.special import betaincinv  # noqa: PLC0415 (takes longer to import than most questions to answer)

    return float(betaincinv(alpha, beta, share))
