"""TLSRPT (RFC 8460): what others saw when they sent to our domains."""

from tlsmon.tlsrpt.ledger import summary

__all__ = ["summary"]
