"""
A canary: TLS is mandatory for a random share of connections, so that a wrong verdict costs a retry and no mail.

For each lookup Postfix draws anew: ``pipemap`` asks a table whether the domain takes part, ``randmap`` throws the dice,
``inline`` gives the policy (DATABASE_README; dict_pipe.c, dict_random.c; all three since Postfix 3.0). An empty draw is
no answer: the name goes on to its parents' keys, other tables and smtp_tls_security_level, as if there were no canary.
"""

from collections.abc import Iterable
from fractions import Fraction
from itertools import groupby
from typing import NamedTuple

from tlsmon.policy import postfix
from tlsmon.policy.model import Enforcement, PolicyError, Rejected, accept, plain_path
from tlsmon.policy.names import domain_key

PATH = "/etc/postfix/tlsmon_canary"
SMALLEST = Fraction(1, 100)
_TOLERANCE = Fraction(1, 20)

_HEADER = """\
# Domains of a canary with the policy `{policy}`, for a share of {share} of connections. Written by tlsmon.
# Install it as {path}; the line for main.cf and what to expect come with it.
"""
_INSTRUCTIONS = """\
# Mandatory TLS for {share} of connections ({percent:.3g} %), drawn anew for each MX host of each delivery attempt.
# Install the table{plural} {paths}, then:
#   postconf -e 'smtp_tls_policy_maps = {setting}'
#   postfix reload
# Name this after tables that you already have: the first table with an answer for a name wins.
#
# Where enforcement would fail, a drawn connection goes on to the next MX host or the mail is deferred; a later attempt
# is drawn anew and goes out as before. So a wrong verdict delays mail and does not lose it, with two exceptions: a host
# that answers STARTTLS with 5xx bounces a drawn mail at once, and a share near 1 leaves too few attempts before the
# queue lifetime ends. Watch status=deferred lines that name TLS; leave out domains that were seen to refuse STARTTLS.
"""


class CanaryTable(NamedTuple):
    """The domains that share one policy."""

    path: str
    text: str


class Canary(NamedTuple):
    """All that Postfix needs for a canary."""

    share: Fraction
    """The share in effect, the nearest that a short list can throw."""
    tables: tuple[CanaryTable, ...]
    setting: str
    """The value of smtp_tls_policy_maps; empty without domains."""
    instructions: str
    rejected: tuple[Rejected, ...]


def canary(enforcements: Iterable[Enforcement], share: float, *, path: str = PATH) -> Canary:
    """
    Return tables and setting that enforce for ``share`` of connections, 0.01 to 1.

    One table for each policy, ``path`` with a number behind it. Raises PolicyError for a share out of range or a path
    that cannot stand in main.cf.
    """
    drawn = nearest(share)
    plain_path(path)
    accepted = accept(enforcements, domain_key)
    groups = groupby(sorted(accepted.enforcements, key=_order), key=postfix.policy)
    tables, maps = [], []
    for number, (policy, members) in enumerate(groups, 1):
        header = _HEADER.format(policy=policy, share=drawn, path=f"{path}_{number}")
        lines = "".join(f"{each.domain} canary\n" for each in members)
        tables.append(CanaryTable(f"{path}_{number}", header + lines))
        maps.append(_map(f"{path}_{number}", drawn, policy))
    setting = ", ".join(maps)
    instructions = _INSTRUCTIONS.format(
        share=drawn,
        percent=float(drawn * 100),
        plural="" if len(tables) == 1 else "s",
        paths=" ".join(table.path for table in tables),
        setting=setting,
    )
    return Canary(drawn, tuple(tables), setting, instructions if tables else "", accepted.rejected)


def nearest(share: float) -> Fraction:
    """
    Return the fraction with the smallest denominator within a twentieth of ``share``, else the nearest of hundredths.

    >>> nearest(0.33)
    Fraction(1, 3)
    >>> nearest(0.1)
    Fraction(1, 10)
    """
    if not SMALLEST <= share <= 1:
        raise PolicyError(f"a canary takes a share of 0.01 to 1, not {share:g}", "Try --canary 0.1.")
    candidates = (Fraction(round(share * parts), parts) for parts in range(1, SMALLEST.denominator + 1))
    exact = Fraction(share)
    close = (each for each in candidates if abs(each - exact) <= exact * _TOLERANCE)
    return next(close, Fraction(share).limit_denominator(SMALLEST.denominator))


def _order(enforcement: Enforcement) -> tuple[str, str]:
    return postfix.policy(enforcement), enforcement.domain


def _map(path: str, share: Fraction, policy: str) -> str:
    draws = ["on"] * share.numerator + ["off"] * (share.denominator - share.numerator)
    # The braces keep the spaces and the = of a policy together.
    return f"pipemap:{{texthash:{path}, randmap:{{{', '.join(draws)}}}, inline:{{{{on = {policy}}}}}}}"
