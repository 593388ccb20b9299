"""Lists of models that come in pages, by a token of the server's choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.simulator.scenario import SimModel

Query = Callable[[str], str]  # a parameter of the request's address, "" where it is missing

_LARGEST = 1_000
_MOST_DIGITS = 9


def page_of(
    models: Sequence[SimModel], size: str, token: str, *, default_size: int
) -> tuple[Sequence[SimModel], str]:
    """The models of one page and the token of the next, "" after the last."""
    start = _number(token, 0)
    end = start + min(_number(size, default_size), _LARGEST)
    return models[start:end], str(end) if end < len(models) else ""


def _number(text: str, default: int) -> int:
    is_believable = text.isdecimal() and len(text) <= _MOST_DIGITS
    return (int(text) if is_believable else 0) or default
