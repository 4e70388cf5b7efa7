"""TLSRPT (RFC 8460): what others saw when they sent to our domains."""

from tlsmon.tlsrpt.model import TlsrptSummary

__all__ = ["summary"]


def summary(store: str, domain: str | None = None) -> TlsrptSummary:
    """Return what others saw, see :func:`tlsmon.tlsrpt.ledger.summary`."""
    from tlsmon.tlsrpt import ledger  # noqa: PLC0415, it needs much that an ingest of logs does not

    return ledger.summary(store, domain)
