"""A tokenizer that anyone can redo by hand.

One token is up to five letters or digits with the white space before them, or one other sign
with the white space before it. English prose comes out near the four characters per token that
real tokenizers reach.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_TOKEN = re.compile(r"\s*+(?:\w{1,5}|[^\w\s])|\s+")
_PER_MESSAGE = 4  # what chat templates add around each message


def split_tokens(text: str) -> list[str]:
    """The tokens of a text; joined they are the text again."""
    return _TOKEN.findall(text)


def count_tokens(text: str) -> int:
    return sum(1 for _ in _TOKEN.finditer(text))


def count_prompt(contents: Iterable[str]) -> int:
    return sum(_PER_MESSAGE + count_tokens(one) for one in contents)
