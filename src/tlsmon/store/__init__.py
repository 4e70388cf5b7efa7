"""The store: a Delta Lake table of rollup rows, and how far each log has been read."""
