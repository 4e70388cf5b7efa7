"""New deliveries of logs into the store, each one exactly once."""
