"""What a chat request asks, whichever dialect it came in, and what an answer consists of."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.simulator.scenario import SimModel
from gateway.simulator.tooling import Form


class BadAskError(ValueError):
    """A request no provider could serve; `param` names the field at fault."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True, slots=True)
class Ask:
    model: str
    messages: tuple[tuple[str, str], ...]  # (role, text)
    is_stream: bool = False
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    temperature: float | None = None
    seed: int | None = None
    wants_usage: bool = False  # in the stream
    has_images: bool = False
    tool: Form | None = None  # to be called in the place of an answer
    json_form: Form | None = None  # the answer shall be JSON

    @property
    def prompt(self) -> str:
        """What was said last by the user."""
        return next((text for role, text in reversed(self.messages) if role == "user"), "")


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, known before its first token is sent."""

    id: str  # hex, unique within a simulation
    model: SimModel
    created_s: int
    tokens: tuple[str, ...]
    finish_reason: str  # stop, length or tool_calls
    prompt_tokens: int
    reasoning: str = ""
    reasoning_tokens: int = 0
    tool: str = ""  # the name of the tool that is called; the tokens are its arguments

    @property
    def text(self) -> str:
        return "" if self.tool else "".join(self.tokens)

    @property
    def arguments(self) -> str:
        return "".join(self.tokens) if self.tool else ""

    @property
    def call_id(self) -> str:
        return f"call_{self.id[:12]}"

    @property
    def completion_tokens(self) -> int:
        return len(self.tokens) + self.reasoning_tokens

    @property
    def charge(self) -> int:
        """What it costs of a token quota."""
        return self.prompt_tokens + self.completion_tokens
