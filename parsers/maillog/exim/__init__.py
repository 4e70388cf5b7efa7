"""Exim main log lines to deliveries."""
