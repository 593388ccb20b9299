"""How chat requests and answers look on the wire, one module per dialect."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from gateway.simulator.asking import Answer, Ask
from gateway.simulator.wires.cohere import CohereWire
from gateway.simulator.wires.gemini import GeminiWire
from gateway.simulator.wires.nlpcloud import NLPCloudWire
from gateway.simulator.wires.openai import OpenAIWire


class Wire(Protocol):
    """One dialect."""

    def hint(self, path: str) -> str | None:
        """What the chat's path below the base says (maybe ""), or None: no chat is asked there."""

    def read(self, body: bytes, hint: str) -> Ask:
        """Understand a request; raises BadAskError."""

    def whole(self, answer: Answer) -> dict[str, Any]: ...


@runtime_checkable
class StreamingWire(Wire, Protocol):
    """One that can also answer piece by piece. Events are whole, with LF line ends."""

    @property
    def content_type(self) -> str: ...

    def opening(self, answer: Answer) -> list[bytes]: ...
    def piece(self, answer: Answer, text: str) -> bytes: ...
    def closing(self, answer: Answer, *, wants_usage: bool) -> list[bytes]: ...
    def failing(self, answer: Answer, error_body: dict[str, Any]) -> bytes: ...


WIRES: dict[str, Wire] = {
    "openai": OpenAIWire(),
    "cohere": CohereWire(),
    "gemini": GeminiWire(),
    "nlpcloud": NLPCloudWire(),
}

__all__ = ["WIRES", "StreamingWire", "Wire"]
