"""The cache, seen by who looks after it."""
