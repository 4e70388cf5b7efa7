"""Does this log, with the configuration of its mail server, tell enough for a verdict? If not: what to change."""
