"""What is said to a model and what it says back, whatever the wire format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]

# What an answer has to call: its own choice, nothing, or at least one of the tools.
ToolWish = Literal["auto", "none", "required"]


@dataclass(frozen=True, slots=True)
class TextPart:
    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """A picture: `data:image/png;base64,...`, or an https address the provider fetches."""

    url: str


Part = TextPart | ImagePart


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function the model wants called. `arguments` is JSON, as the model wrote it.

    `signature` is opaque: a provider that gave one wants it back with the call.
    """

    id: str
    name: str
    arguments: str
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """`parts` stand in the place of `content` where there are any."""

    role: Role
    content: str = ""
    parts: tuple[Part, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()  # of an assistant
    tool_call_id: str = ""  # of a tool: which call it answers

    @property
    def text(self) -> str:
        """All of its text, pictures left out."""
        if not self.parts:
            return self.content
        return "\n".join(one.text for one in self.parts if isinstance(one, TextPart))

    @property
    def images(self) -> tuple[ImagePart, ...]:
        return tuple(one for one in self.parts if isinstance(one, ImagePart))


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may ask for. `parameters` is a JSON schema, not to be changed."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class NamedTool:
    """The wish that this one tool is called."""

    name: str


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """The answer shall be JSON; with a `schema`, JSON of that form."""

    schema: Mapping[str, Any] | None = field(default=None, hash=False)
    name: str = "answer"
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A piece of what a model thinks before and between its answer's pieces."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call; pieces with one `index` belong together, `arguments` in order."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""
    signature: str = ""
