"""The provider of an MX host: its organisational domain, by the Public Suffix List."""

from functools import lru_cache

from publicsuffixlist import PublicSuffixList


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    # The list that comes with the package: no network, and the same answer for everybody with the same version.
    return PublicSuffixList(only_icann=True)


@lru_cache(maxsize=1 << 16)
def provider(mx_host: str | None) -> str | None:
    """
    Return the organisational domain of an MX host, in lower case: ``mx1.mail.example.co.uk`` gives ``example.co.uk``.

    An address, and a host that is itself a public suffix, stand for themselves; None stays None.
    Only the ICANN section of the list counts: hosting domains such as ``github.io`` belong to their provider.

    >>> provider("mx2.mail.example.co.uk")
    'example.co.uk'
    >>> provider("192.0.2.25")
    '192.0.2.25'
    """
    if mx_host is None:
        return None
    host = mx_host.lower().rstrip(".")
    if ":" in host or host[-1:].isdigit() or host[-1:] == "]":  # no top-level domain ends so: RFC 3696, section 2
        return host
    domain: str | None = _suffixes().privatesuffix(host)
    return domain or host
