"""Background work: who does it, what waits, how it ended."""
