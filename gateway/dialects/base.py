"""What every wire format can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.errors import NotConfigured, ProviderError
from gateway.transport import OutgoingRequest
from gateway.types import ChatRequest, Target, ToolCallDelta, Usage


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an answer; what is empty was not in this part.

    `usage` is None where the provider did not report it.
    """

    text: str = ""
    finish_reason: str = ""
    usage: Usage | None = None
    reasoning: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    is_sign_of_life: bool = False  # the model works, though nothing of it can be shown

    @property
    def has_content(self) -> bool:
        return bool(self.text or self.reasoning or self.tool_calls)


Reply = Piece  # a whole answer is one that came in a single piece


class StreamParser(Protocol):
    """Fed with bytes as they come, however they are cut."""

    def feed(self, data: bytes) -> Sequence[Piece]:
        """b"" is the end. Raises ProviderError where the stream holds an error or is malformed."""

    @property
    def is_complete(self) -> bool:
        """Whether the answer has come to its end; its usage may still follow."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""


class Dialect(Protocol):
    @property
    def wordless(self) -> frozenset[str]:
        """What the format has no words for, as in `gateway.quirks`."""

    def build_request(
        self, target: Target, request: ChatRequest, *, stream: bool
    ) -> OutgoingRequest:
        """Raises NotConfigured where the target lacks what the format needs."""

    def parse_response(self, body: bytes) -> Reply:
        """Raises ProviderError: a 200 may carry an error, too."""

    def parse_stream(self) -> StreamParser: ...

    def classify_error(
        self, status: int, headers: Mapping[str, str], body: bytes
    ) -> ProviderError: ...


def auth_headers(target: Target) -> dict[str, str]:
    """The header that carries the key, by the target's `auth`; raises NotConfigured without one."""
    if target.auth == "none":
        return {}
    if target.key is None or not target.key.reveal():
        raise NotConfigured(f"There is no key for {target.provider_name or target.provider}.")
    key = target.key.reveal()
    if not (key.isascii() and key.isprintable()):
        raise NotConfigured("The key holds characters that no key has; enter it again.")
    if target.auth == "bearer":
        return {"Authorization": f"Bearer {key}"}
    header, _, scheme = target.auth.partition(": ")
    return {header: f"{scheme} {key}" if scheme else key}


def request_url(target: Target, path: str) -> str:
    """`path` below the target's base URL; raises NotConfigured where a {NAME} is not filled in."""
    if "{" in target.base_url:
        raise NotConfigured(
            f"The address of {target.provider_name or target.provider} lacks a value: "
            f"{target.base_url}"
        )
    return target.base_url.rstrip("/") + path
