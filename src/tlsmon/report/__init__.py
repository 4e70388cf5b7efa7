"""The weekly readiness report: what the store says, in words, tables and two figures, as PDF, HTML and JSON."""
