"""Fireworks: the entries are those of Hyperbolic, longer ids aside."""

from catalog.sources.shapes.hyperbolic import translate

__all__ = ["translate"]
