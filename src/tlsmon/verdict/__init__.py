"""Evidence -> would mail be lost? Fates, bounds, verdicts, and whether past verdicts held."""
