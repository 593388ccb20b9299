"""Leaf helpers that the apps may import; they import nothing of the project."""
