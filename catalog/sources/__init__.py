"""Providers' model lists: pure translation, no network.

`shapes/` translates, `registry.py` finds a shape by its name, `select.py` applies the provider's
own rule, `pages.py` builds the address of a next page.
"""
