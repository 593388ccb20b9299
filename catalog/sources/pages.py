"""Addresses of next pages. The host stays: only what stands behind the question mark changes."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from catalog.sources.listed import BadList

_LONGEST_TOKEN = 2_000


def with_query(url: str, **values: str) -> str:
    """The same address with these values in its query, in the place of former ones."""
    parts = urlsplit(url)
    kept = [(name, value) for name, value in parse_qsl(parts.query) if name not in values]
    return urlunsplit(parts._replace(query=urlencode([*kept, *values.items()])))


def by_token(url: str, token: Any, name: str) -> str:
    """The page that a token of the last answer leads to; "" without one. Raises BadList."""
    if token is None or token == "":
        return ""
    if not isinstance(token, str) or len(token) > _LONGEST_TOKEN:
        raise BadList("The list says that it goes on, but not where. Nothing was changed.")
    return with_query(url, **{name: token})
