"""The table for Postfix's smtp_tls_policy_maps: one line for each next hop that must be reached over TLS."""

from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

from tlsmon.policy.model import Enforcement, Rejected, accept, plain_path
from tlsmon.policy.names import domain_key, host_key, next_hop_key

TABLE = "/etc/postfix/tlsmon_policy"

_HEADER = """\
# Mandatory TLS by next hop, for smtp_tls_policy_maps. Written by tlsmon: sorted, and the same for the same findings.
#
# To install it as {path}, once:
#   postconf -e 'smtp_tls_policy_maps = texthash:{path}'
# Name it after tables that you already have: the first table with an answer for a name wins, so yours stay in force.
# After each change:
#   postfix reload           texthash needs no postmap, but is read when a process starts, hence the reload.
# With hash: or lmdb: in place of texthash: run `postmap TYPE:{path}` instead; running processes notice by themselves.
# To ask what Postfix will do:  postmap -q example.com texthash:{path}
#
# A key is the next hop, which is the recipient domain only where mail goes straight to its MX hosts. Mail that
# transport_maps or relayhost sends to a smarthost obeys the line of that hop, spelt as it is spelt there
# ([smtp.example.net]:587), and no line of its domain. example.com does not cover sub.example.com; the key
# .example.com covers everything below example.com and not the domain itself.
# No line may follow with the same key, and nothing may follow the policy on its line, not even a comment.
"""
_DANE = """\
# dane-only needs `smtp_dns_support_level = dnssec` and a validating resolver on this machine.
"""


class Written(NamedTuple):
    """A table as text, and what was left out of it."""

    text: str
    rejected: tuple[Rejected, ...]


def render(
    enforcements: Iterable[Enforcement],
    next_hops: Iterable[Enforcement] = (),
    *,
    path: str = TABLE,
    single_labels: bool = False,
) -> Written:
    """
    Return the whole table, header included.

    ``next_hops`` are enforcements whose ``domain`` is a smarthost's next hop. They come from the administrator's own
    configuration; a recipient domain that merely looks like one, an address literal, is rejected.
    ``single_labels`` lets domains without a dot pass. Raises PolicyError for a path that Postfix would not take.
    """
    domains = accept(enforcements, host_key if single_labels else domain_key)
    hops = accept(next_hops, next_hop_key)
    lines = sorted(line(enforcement) for enforcement in chain(domains.enforcements, hops.enforcements))
    header = _HEADER.format(path=plain_path(path))
    if any(" dane-only" in entry for entry in lines):
        header += _DANE
    return Written(header + "".join(lines), domains.rejected + hops.rejected)


def line(enforcement: Enforcement) -> str:
    """Return the line, newline included, of an enforcement that :func:`~tlsmon.policy.model.accept` let through."""
    return f"{enforcement.domain} {policy(enforcement)}\n"


def policy(enforcement: Enforcement) -> str:
    """
    Return the right-hand side (smtp_tls_policy.c:tls_policy_lookup_one).

    ``verify`` keeps Postfix's default match, the MX host's name; ``secure`` without names keeps the default too, the
    domain or a name below it. Protocols and ciphers stay with the smtp_tls_mandatory_* settings.
    """
    return f"{enforcement.level} match={':'.join(enforcement.match)}" if enforcement.match else enforcement.level
