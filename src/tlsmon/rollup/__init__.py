"""Deliveries to rows: equal deliveries of one hour become one row with a count."""
