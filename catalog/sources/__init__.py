"""Providers' model lists: one module per shape, pure translation, no network.

A shape module has `translate(entries, id_field)`; `registry.py` knows them by name. What is
translated is what the provider serves for nothing: entries that cost money, are switched off or
deprecated are left out by the shape, entries that are no chat model stay in with their modality
(they keep a known offer alive but add none), and `select.py` applies the provider's own rule.
"""
