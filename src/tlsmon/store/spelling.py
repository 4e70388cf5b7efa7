"""Domains as the store spells them."""

import contextlib


def a_label(domain: str) -> str:
    """Return a domain in lower case, as A-label (RFC 5891, section 4); what is none stays as it is."""
    import idna  # noqa: PLC0415, the commands ask for little else

    with contextlib.suppress(idna.IDNAError, UnicodeError):
        return idna.encode(domain.strip().rstrip("."), uts46=True).decode("ascii").lower()
    return domain.strip().lower()
