"""How much of the mail was encrypted, and how that moves."""
