"""SambaNova: the plain shape with context and longest answer."""

from catalog.sources.shapes.openai import translate

__all__ = ["translate"]
