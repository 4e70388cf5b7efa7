"""Exim log text for the tests: how records are made of it, and lines that real Exims wrote (names are made up)."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from maillog.exim.deliveries import EximDeliveries
from maillog.model import Delivery, DeliveryReader, Found, Mta, Record, Source, Unread

START = datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)
SOURCE = Source(Mta.EXIM, "relay.example.org", None)
ID = "1tAbCd-0000xx-1A"
LONG_ID = "1tAbCd-00000001xxx-1AbC"
X13 = "X=TLS1.3:ECDHE_X25519__RSA_PSS_RSAE_SHA256__AES_256_GCM:256"
MX = "H=mx.good.example [198.51.100.7]"
SENT = f'{ID} => user@good.example R=dnslookup T=remote_smtp {MX} {X13} CV=yes C="250 OK"'
"""Proves that the selector tls_cipher is on."""


def record(text: str, seconds: float = 0) -> Record:
    """Return the record of a text that was written so many seconds after the start."""
    return Record(START + timedelta(seconds=seconds), SOURCE.host, None, "exim", None, text)


def numbered(number: int) -> str:
    """Return a message id of its own."""
    return f"1tAb{number:02d}-0000xx-1A"


def feed(reader: DeliveryReader, texts: Iterable[str | tuple[float, str]]) -> list[Found]:
    """Feed texts, a second apart or at the seconds given with them; return what came out."""
    found: list[Found] = []
    for number, text in enumerate(texts):
        found += reader.feed(record(*((text, number) if isinstance(text, str) else (text[1], text[0]))))
    return found


def read(*texts: str | tuple[float, str]) -> list[Delivery]:
    """Return all deliveries of a log that ends after these texts, in order of time. Every line has to be readable."""
    reader = EximDeliveries(SOURCE)
    found = feed(reader, texts)
    assert [one for one in found if isinstance(one, Unread)] == []
    deliveries = [*(one for one in found if isinstance(one, Delivery)), *reader.held()]
    return sorted(deliveries, key=lambda delivery: delivery.time)
