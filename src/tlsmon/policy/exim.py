"""
Mandatory TLS for Exim: a list of domains for each level, and a router and a transport for each list.

Exim's options act on hosts within one transport, so each level has a transport of its own: queues of waiting mail and
open connections are kept by transport, and nothing depends on ``$domain``, which is empty where recipients of two
domains share a connection (``multi_domain``) and would switch the enforcement off.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from maillog.model import Level
from tlsmon.policy.model import Accepted, Enforcement, Rejected, accept, plain_path
from tlsmon.policy.names import domain_key

FOLDER = "/etc/exim4"

OPTIONS: Mapping[Level, tuple[str, ...]] = MappingProxyType(
    {
        # Strongest first: the routers are tried in this order.
        Level.DANE_ONLY: ("hosts_require_dane = *",),
        # Without hosts_require_tls a certificate that fails is answered with clear text (spec: tls_verify_hosts).
        Level.VERIFY: ("hosts_require_tls = *", "tls_verify_hosts = *"),
        Level.ENCRYPT: ("hosts_require_tls = *",),
    }
)
"""Transport options by level. Exim checks the MX host's name, never the domain's: it has no ``secure``."""

_LIST_HEADER = """\
# Domains that Exim reaches over TLS at level {level} only. Written by tlsmon; see the router tlsmon_{stem}.
# lsearch reads this file anew for each message: no restart. To take everything back, empty it.
"""
_CONFIGURATION_HEADER = """\
# Mandatory TLS for the domains in {folder}/tlsmon_*. Written by tlsmon.
#
# Routers: put them before the dnslookup router that sends mail to the internet, and copy its other options
# (ignore_target_hosts, same_domain_copy_routing, ...). no_more keeps a domain from falling through to it.
# Transports: copy every other option of the ordinary smtp transport (DKIM, interface, helo_data, ...).
# Do not join the transports into one with conditions on $domain: with multi_domain it is empty for shared connections.
# Check with `exim -bV`; ask with `exim -bt postmaster@example.com`.
# Domains that a manualroute router sends to a smarthost need the options on that router's transport instead.
"""
_DANE_WARNING = """\
# hosts_require_dane bounces at once, without a retry, when DNSSEC or the TLSA records of a domain break.
"""


class DomainList(NamedTuple):
    """One file of domains."""

    level: Level
    path: str
    text: str


class Configuration(NamedTuple):
    """All that Exim needs."""

    lists: tuple[DomainList, ...]
    """One a level, empty ones too: a router whose file is missing defers all mail."""
    routers: str
    transports: str
    rejected: tuple[Rejected, ...]


def render(enforcements: Iterable[Enforcement], *, folder: str = FOLDER) -> Configuration:
    """Return the lists, routers and transports. Raises PolicyError for a folder that Exim would read otherwise."""
    plain_path(folder)
    accepted = accept(enforcements, domain_key, OPTIONS)
    lists = tuple(_domain_list(level, folder, accepted) for level in OPTIONS)
    routers = _CONFIGURATION_HEADER.format(folder=folder) + "\n" + "\n".join(_router(each) for each in lists)
    transports = "\n".join(_transport(level) for level in OPTIONS)
    return Configuration(lists, routers, transports, accepted.rejected)


def _stem(level: Level) -> str:
    return level.value.replace("-", "_")


def _domain_list(level: Level, folder: str, accepted: Accepted) -> DomainList:
    lines = [line(each) for each in accepted.enforcements if each.level == level]
    header = _LIST_HEADER.format(level=level, stem=_stem(level))
    return DomainList(level, f"{folder}/tlsmon_{_stem(level)}", header + "".join(lines))


def line(enforcement: Enforcement) -> str:
    """Return the lsearch line, newline included, of an accepted enforcement."""
    return f"{enforcement.domain}:\n"


def _router(domains: DomainList) -> str:
    stem = _stem(domains.level)
    return (
        f"tlsmon_{stem}:\n"
        "  driver = dnslookup\n"
        f"  domains = ! +local_domains : lsearch;{domains.path}\n"
        f"  transport = tlsmon_{stem}_smtp\n"
        "  no_more\n"
    )


def _transport(level: Level) -> str:
    warning = _DANE_WARNING if level is Level.DANE_ONLY else ""
    options = "".join(f"  {option}\n" for option in OPTIONS[level])
    return f"{warning}tlsmon_{_stem(level)}_smtp:\n  driver = smtp\n{options}"
