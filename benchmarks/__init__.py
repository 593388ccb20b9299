"""Measured claims: one module per claim, each with its baseline in the same run."""
