"""The vocabulary of the engine: frozen, typed values that cross its borders."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gateway.limits import (
    LIMIT_NAMES,
    Limit,
    LimitHeader,
    SaidLimit,
    Unit,
    Window,
    parse_limits,
)
from gateway.messages import (
    ImagePart,
    JsonFormat,
    Message,
    NamedTool,
    Part,
    Reasoning,
    Role,
    TextPart,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolWish,
)
from gateway.quirks import NO_QUIRKS, Quirks

__all__ = [
    "LIMIT_NAMES",
    "SHORTEST_WITH_TAIL",
    "Attempt",
    "CacheMode",
    "ChatRequest",
    "Chunk",
    "Completion",
    "ImagePart",
    "JsonFormat",
    "Limit",
    "LimitHeader",
    "Message",
    "NamedTool",
    "Outcome",
    "Part",
    "Priority",
    "Quirks",
    "Reasoning",
    "Role",
    "SaidLimit",
    "Secret",
    "Started",
    "StreamItem",
    "Target",
    "TextPart",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "ToolWish",
    "Unit",
    "Usage",
    "Window",
    "new_call_id",
    "parse_limits",
]

# Four characters of a shorter key would give away too much of it.
SHORTEST_WITH_TAIL = 12


class Secret:
    """A provider's key: usable through `reveal()`, unreadable everywhere else."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    @property
    def tail(self) -> str:
        """The last four characters, the only part a person may see again."""
        return self._value[-4:] if len(self._value) >= SHORTEST_WITH_TAIL else ""

    def __repr__(self) -> str:
        return "Secret('…')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


class Priority(StrEnum):
    """Who goes first when calls must wait."""

    INTERACTIVE = "interactive"
    NORMAL = "normal"
    BATCH = "batch"


class CacheMode(StrEnum):
    """What a call wants from the completion cache."""

    USE = "use"  # read and keep
    REFRESH = "refresh"  # do not read, keep
    SKIP = "skip"  # neither
    ONLY = "only"  # read, never call


def new_call_id() -> str:
    """A unique id whose text order is the order of time (48 bits of ms, then random)."""
    return f"{time.time_ns() // 1_000_000:012x}{uuid.uuid4().hex[:14]}"


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a caller asks for, whoever answers. `None` leaves a parameter to the provider."""

    messages: tuple[Message, ...]
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolWish | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    response_format: JsonFormat | None = None
    priority: Priority = Priority.NORMAL
    cache: CacheMode = CacheMode.USE
    deadline_s: float = 120.0
    owner: str = ""  # cached answers are shared within one owner only
    tests_key: bool = False  # to find out whether the key works, though it or a breaker rests
    source: str = ""  # which part of the product asks: playground, api, key-test, ...
    call_id: str = field(default_factory=new_call_id)


@dataclass(frozen=True, slots=True)
class Target:
    """One offer with one key: where a call may be sent.

    `pool` names the quota the call draws on within (provider, key): the model id where limits
    are per model, "*" where all models share one. `limits` are that pool's.
    `auth` is "bearer", "none", "Authorization: Token" or the header that carries the key.
    """

    provider: str
    model: str
    base_url: str
    dialect: str = "openai"
    auth: str = "bearer"
    key: Secret | None = None
    key_id: str = "none"
    pool: str = "*"
    limits: tuple[Limit, ...] = ()
    hides_limits: bool = False  # it has limits nobody has published: they are learned
    provider_name: str = ""
    model_name: str = ""
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    limit_headers: tuple[LimitHeader, ...] = ()
    # Private ranges hold own endpoints and the simulator; metadata addresses are never called.
    allows_private_address: bool = True
    quirks: Quirks = NO_QUIRKS

    @property
    def label(self) -> str:
        return f"{self.model_name or self.model} on {self.provider_name or self.provider}"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer; `is_estimated` where the provider did not report them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    is_estimated: bool = False

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


class Outcome(StrEnum):
    """How an attempt, and in the end a call, came out."""

    ANSWERED = "answered"
    CANCELLED = "cancelled"  # by the caller; nobody's fault
    # refused at home: no quota spent
    RATE_LIMITED = "rate_limited"
    CIRCUIT_OPEN = "circuit_open"
    QUEUE_FULL = "queue_full"
    DEADLINE_PASSED = "deadline_passed"
    NOT_CONFIGURED = "not_configured"
    NOT_CACHED = "not_cached"
    # refused or failed outside
    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"
    THROTTLED = "throttled"
    QUOTA_EXHAUSTED = "quota_exhausted"
    AUTH_REJECTED = "auth_rejected"
    FORBIDDEN = "forbidden"
    MODEL_GONE = "model_gone"
    INVALID_REQUEST = "invalid_request"
    CONTEXT_TOO_LONG = "context_too_long"
    CONTENT_BLOCKED = "content_blocked"
    MALFORMED = "malformed"
    CUT = "cut"  # the stream ended before its end


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one target. Times are seconds; `started_s` counts from the call's start."""

    provider: str
    model: str
    label: str
    outcome: Outcome
    key_id: str = "none"
    status: int | None = None
    started_s: float = 0.0
    limiter_wait_s: float = 0.0
    sent_s: float | None = None  # from the attempt's start to sending: waiting for turn and quota
    head_s: float | None = None  # from the attempt's start to the head of the provider's response
    first_token_s: float | None = None  # from the attempt's start
    duration_s: float = 0.0
    detail: str = ""  # one sentence for a person, secrets redacted
    retry_after_s: float | None = None
    dropped: tuple[str, ...] = ()  # parameters left out, because the provider refuses them

    @classmethod
    def from_plain(cls, said: Mapping[str, Any]) -> Attempt:
        """Read what `asdict` wrote and JSON carried; raises ValueError, TypeError or KeyError."""
        outcome, dropped = Outcome(said["outcome"]), tuple(said.get("dropped", ()))
        return cls(**{**said, "outcome": outcome, "dropped": dropped})

    @property
    def was_sent(self) -> bool:
        """Whether the provider saw it (and may have counted it)."""
        return self.status is not None or self.outcome in _SENT


_SENT = {Outcome.ANSWERED, Outcome.TIMEOUT, Outcome.UNAVAILABLE, Outcome.MALFORMED, Outcome.CUT}


@dataclass(frozen=True, slots=True)
class Started:
    """A stream's first item once a target answers: who it is."""

    provider: str
    model: str
    label: str
    cached: str = ""  # the cache tier that answered, "" when a provider did


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of an answer, in order."""

    text: str


@dataclass(frozen=True, slots=True)
class Completion:
    """A finished answer. `finish_reason` is the provider's word: stop, length, ..."""

    call_id: str
    text: str
    finish_reason: str
    usage: Usage
    provider: str
    model: str
    label: str
    attempts: tuple[Attempt, ...] = ()
    cached: str = ""  # the cache tier that answered: memory, redis; "" when a provider did
    first_token_s: float | None = None  # from the call's start
    duration_s: float = 0.0
    reasoning: str = ""  # what it thought, where the provider shows it
    tool_calls: tuple[ToolCall, ...] = ()
    dropped: tuple[str, ...] = ()  # parameters the provider would have refused

    @property
    def tokens_per_s(self) -> float | None:
        """Speed after the first token; None where there is nothing to measure."""
        if self.cached or self.first_token_s is None or self.usage.completion_tokens <= 1:
            return None
        streaming_s = self.duration_s - self.first_token_s
        return self.usage.completion_tokens / streaming_s if streaming_s > 0 else None


# What `Gateway.stream` yields: failed attempts as they happen, who answers, thoughts, text and
# tool calls in pieces, and at last the finished answer.
StreamItem = Attempt | Started | Reasoning | Chunk | ToolCallDelta | Completion
