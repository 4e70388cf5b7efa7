"""
Which names may become the key of a policy.

A domain comes from a log, so from strangers. What passes here is made of letters, digits, hyphens and dots only: it can
be no comment, no second word, no second line, no quoted key, no wildcard, no parent-domain key and no list separator.
"""

import ipaddress
import re

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MAX_NAME = 253
_MAX_PORT = 65535
_NEXT_HOP = re.compile(r"(?:\[(?P<literal>[^\[\]]+)\]|(?P<name>[^\[\]:]+))(?::(?P<port>[1-9][0-9]{0,4}))?")


def domain_key(domain: str) -> str:
    """
    Return a domain in lower case as the key of a policy; ``Example.ORG`` gives ``example.org``.

    Raises ValueError with the reason for everything that is not two or more LDH labels (RFC 5890, section 2.3.1;
    lengths: RFC 1035, section 2.3.4) or that could be an address (RFC 3696, section 2: no top-level domain is numeric).
    """
    name = host_key(domain)
    if "." not in name:
        raise ValueError("a single label")
    return name


def host_key(host: str) -> str:
    """Return a host name in lower case, as :func:`domain_key`; a single label is allowed."""
    if not host.isascii():
        raise ValueError("not ASCII: an international domain is written as A-label")
    name = host.lower()
    if not name or len(name) > _MAX_NAME:
        raise ValueError("empty" if not name else f"longer than {_MAX_NAME} characters")
    labels = name.split(".")
    if any(not _LABEL.fullmatch(label) for label in labels):
        raise ValueError("not a domain name of letters, digits and inner hyphens")
    if labels[-1].isdigit():
        raise ValueError("an address, not a domain")
    return name


def match_name(name: str) -> str:
    """
    Return a name for ``match=`` in lower case; one leading dot stands for all names below.

    Postfix's words ``hostname`` and ``nexthop`` are not names, so nobody can ask for them through a log.
    """
    return "." + domain_key(name[1:]) if name.startswith(".") else domain_key(name)


def next_hop_key(next_hop: str) -> str:
    """
    Return a smarthost's next hop in lower case: ``[host]``, ``[host]:port``, ``[address]:port``, ``host:port``.

    Postfix looks it up as transport_maps or relayhost spell it, brackets and port included
    (smtp_tls_policy.c:tls_policy_lookup), so nothing is added or taken away. Raises ValueError with the reason.
    """
    parts = _NEXT_HOP.fullmatch(next_hop)
    if not parts or int(parts["port"] or 1) > _MAX_PORT:
        raise ValueError("not a next hop such as [smtp.example.net]:587")
    if parts["name"]:
        host_key(parts["name"])
    elif not _is_address(parts["literal"]):
        host_key(parts["literal"])
    return next_hop.lower()


def _is_address(literal: str) -> bool:
    if "%" in literal:  # an IPv6 zone may hold any character
        return False
    try:
        ipaddress.ip_address(literal)
    except ValueError:
        return False
    return True
