"""Exim log lines to deliveries."""
