"""Postfix log lines to deliveries."""
