"""Take a mail server from opportunistic to mandatory TLS without losing a mail."""
