"""TLSRPT: where a domain wants reports (RFC 8460, section 3)."""

import re
from collections.abc import Sequence
from typing import Final

from tlsmon.probe.connection import printable
from tlsmon.probe.model import TlsRpt

MAX_DESTINATIONS: Final = 20
_RECORD: Final = re.compile(r"v=TLSRPTv1[ \t]*;")
_RUA: Final = re.compile(r"rua[ \t]*=(.*)", re.DOTALL)
_MAILTO: Final = re.compile(r"mailto:[^@\s,;]+@([^@\s,;!?]+)(?:[!?].*)?", re.IGNORECASE)
_HTTPS: Final = re.compile(r"https://([A-Za-z0-9.-]+(?::\d{1,5})?)(?:[/?#].*)?", re.IGNORECASE)


def parse(texts: Sequence[str]) -> TlsRpt:
    """
    Return where reports go. ``texts``: the TXT records of ``_smtp._tls.DOMAIN``; others among them are not meant.

    The local part of a mail address and the path of a URL are left out: they may name a person or a customer.
    """
    records = [text for text in texts if _RECORD.match(text)]
    if not records:
        return TlsRpt()
    if len(records) > 1:
        return TlsRpt(trouble=f"there are {len(records)} TLSRPT records; more than one counts as none")
    fields = [_RUA.fullmatch(field.strip(" \t")) for field in records[0].split(";")[1:]]
    uris = [uri.strip(" \t") for field in fields if field for uri in field[1].split(",")]
    if not uris:
        return TlsRpt(trouble="the TLSRPT record has no rua")
    found = tuple(_destination(uri) for uri in uris[:MAX_DESTINATIONS])
    known = tuple(destination for destination in found if destination)
    return TlsRpt(
        known, None if len(known) == len(found) else "the TLSRPT record has a rua that is neither mailto: nor https:"
    )


def _destination(uri: str) -> str | None:
    if mail := _MAILTO.fullmatch(uri):
        return f"mailto:{printable(mail[1], 255).lower()}"
    if web := _HTTPS.fullmatch(uri):
        return f"https://{web[1].lower()}"
    return None
