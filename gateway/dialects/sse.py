"""Server-sent events, decoded as they come: bytes in, the `data` of whole events out."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from gateway.errors import MalformedReply

# One event holds a token or two; a provider that sends more than this is not streaming.
_MAX_LINE_CHARS = 1_000_000


class EventDecoder:
    """Cut the stream anywhere, within a character or between CR and LF: the events stay the same.

    Bytes that are no UTF-8 become U+FFFD, as the format's standard demands.
    """

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._rest: list[str] = []  # of a line whose end has not come
        self._rest_chars = 0
        self._after_cr = False
        self._data: list[str] = []
        self._is_first = True

    def feed(self, data: bytes) -> Iterator[str]:
        for line in self._lines(self._decode(data)):
            if not line:
                if self._data:
                    yield "\n".join(self._data)
                    self._data = []
            elif line.startswith("data:"):
                self._data.append(line[5:].removeprefix(" "))
            # every other field, and comments (":"), carry nothing the engine needs

    def flush(self) -> Iterator[str]:
        """What remains when the stream ends without its last empty line."""
        yield from self.feed(b"\n\n")

    def _lines(self, text: str) -> Iterator[str]:
        if not text:
            return
        if self._is_first:
            text, self._is_first = text.removeprefix("\ufeff"), False
        if self._after_cr:
            text = text.removeprefix("\n")
        self._after_cr = text.endswith("\r")
        *ended, rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        for line in ended:
            yield self._joined(line)
            self._rest, self._rest_chars = [], 0
        self._rest_chars += len(rest)
        self._check(self._rest_chars)
        self._rest.append(rest)

    def _joined(self, end: str) -> str:
        self._check(self._rest_chars + len(end))
        return "".join((*self._rest, end)) if self._rest else end

    @staticmethod
    def _check(chars: int) -> None:
        if chars > _MAX_LINE_CHARS:
            raise MalformedReply("A line of the stream is longer than 1 MB.")
