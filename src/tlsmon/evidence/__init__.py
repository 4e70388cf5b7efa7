"""Rows of the store -> what is known of every MX host: the ground that verdicts stand on."""
