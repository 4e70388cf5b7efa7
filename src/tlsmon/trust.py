"""Which certificates are believed, whatever the version of Python."""

import ssl


def verifying_context(ca_file: str | None = None) -> ssl.SSLContext:
    """
    Return TLS settings that verify the server's chain and name as OpenSSL does by itself, and mail servers with it.

    Since 3.13 Python's own default asks for more (RFC 5280 to the letter), and accepts an intermediate as an anchor.
    """
    context = ssl.create_default_context(cafile=ca_file)
    context.verify_flags &= ~(ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN)
    return context
