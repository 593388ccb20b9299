"""What a simulation consists of: providers, models, limits, speeds and scripted faults."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from gateway.simulator.reading import ScenarioError
from gateway.types import Limit

DEFAULT_PATH = Path(__file__).with_name("default.toml")

_PLAIN_LISTS = ("cerebras", "sambanova", "nlpcloud")


class FaultKind(StrEnum):
    """What goes wrong. The first six replace the answer and take no quota, the rest spoil it."""

    ERROR = "error"  # `status` in the provider's own body format
    HTML = "html"  # a gateway's HTML page with `status`
    ERROR_IN_OK = "error_in_ok"  # 200 whose body is an error
    EMPTY = "empty"  # 200 without a body
    HANG = "hang"  # silence for `hold_s` before anything is sent, then 504
    RESET = "reset"  # TCP reset before anything is sent
    CUT = "cut"  # connection aborted after `at` of the answer
    TRUNCATE = "truncate"  # stream ends cleanly after `at`, without finish reason or [DONE]
    STALL = "stall"  # silence for `hold_s` after `at` of the answer
    HALF_JSON = "half_json"  # an answer, or a chunk, that breaks off inside its JSON
    MID_ERROR = "mid_error"  # an error chunk after `at` of the stream
    SLOW = "slow"  # other `first_token_s` and `tokens_per_s`: a slow start or a trickle

    @property
    def replaces_answer(self) -> bool:
        return self in _REPLACING


_REPLACING = {
    FaultKind.ERROR,
    FaultKind.HTML,
    FaultKind.ERROR_IN_OK,
    FaultKind.EMPTY,
    FaultKind.HANG,
    FaultKind.RESET,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One scripted fault: what it does, and to which requests.

    Of the requests that match (`on`, `model`, the window of time) the first `skip_n` are
    spared; then every `every_n`-th, or each with probability `rate`, is struck, at most
    `max_n` of them (0: no end). The window is `from_s`..`until_s` since the start, repeated
    every `period_s` where that is above 0.
    """

    kind: FaultKind
    rate: float = 1.0
    every_n: int = 1
    skip_n: int = 0
    max_n: int = 0
    from_s: float = 0.0
    until_s: float | None = None
    period_s: float = 0.0
    model: str = ""
    on: str = "chat"  # chat, models or all
    status: int = 503
    message: str = ""
    retry_after_s: float | None = None
    hold_s: float = 600.0
    at: float = 0.5
    first_token_s: float | None = None
    tokens_per_s: float | None = None

    def is_due(self, elapsed_s: float) -> bool:
        """Whether the window of time is open."""
        at_s = elapsed_s % self.period_s if self.period_s else elapsed_s
        return self.from_s <= at_s and (self.until_s is None or at_s < self.until_s)


@dataclass(frozen=True, slots=True)
class SimModel:
    """One model as one simulated provider serves it."""

    id: str
    name: str
    family: str = ""
    params_b: float | None = None
    active_params_b: float | None = None
    context_tokens: int = 131_072
    max_output_tokens: int = 8_192
    modality: str = "chat"
    specialties: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    first_token_s: float | None = None
    tokens_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class SimProvider:
    """One simulated provider. Without `keys` it takes any caller, as one account."""

    slug: str
    name: str
    models: tuple[SimModel, ...]
    dialect: str = "openai"
    style: str = "openai"  # whose rate headers, error bodies and list it copies
    keys: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    limits_change_s: float = 0.0  # when the limits change, unannounced; 0: never
    limits_change_factor: float = 0.5  # part of them in force from then on
    quota_scope: str = "per-model"
    windows: str = "sliding"  # sliding (exact log) or fixed (aligned to the UTC clock)
    max_concurrent: int = 0  # answers under way at once; 0: any number
    list_s: float = 0.0  # until the list of models is sent
    first_token_s: float = 0.3
    tokens_per_s: float = 80.0
    jitter: float = 0.15
    tokens_per_chunk: int = 2
    comments: bool = False  # keep-alive comment lines in streams
    crlf: bool = False  # CRLF instead of LF between stream lines
    description: str = ""
    faults: tuple[Fault, ...] = ()

    @property
    def auth(self) -> str:
        """How a key is sent, in the words of the catalog's mapping."""
        if not self.keys:
            return "none"
        ways = {"gemini": "x-goog-api-key", "nlpcloud": "Authorization: Token"}
        return ways.get(self.dialect, "bearer")

    @property
    def list_dialect(self) -> str:
        """The shape of its model list, in the words of the catalog's mapping."""
        return "openai" if self.style in _PLAIN_LISTS else self.style

    @property
    def list_items_path(self) -> str:
        return "models" if self.style in ("cohere", "gemini") else "data"

    @property
    def id_field(self) -> str:
        return "name" if self.style in ("cohere", "gemini") else "id"

    def model(self, model_id: str) -> SimModel | None:
        return next((one for one in self.models if one.id == model_id), None)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole simulation. The same seed and the same requests give the same answers."""

    providers: tuple[SimProvider, ...]
    seed: int = 1
    name: str = "unnamed"

    @classmethod
    def parse(cls, text: str) -> Scenario:
        """Read TOML; raises ScenarioError naming the field that makes no sense."""
        from gateway.simulator.parsing import read_scenario  # noqa: PLC0415 - it imports us

        try:
            values = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise ScenarioError(f"not TOML: {error}") from error
        return read_scenario(values)

    @classmethod
    def load(cls, path: Path | str) -> Scenario:
        """Read a scenario file; raises ScenarioError, also when the file cannot be read."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ScenarioError(f"cannot read {path}: {error}") from error
        try:
            return cls.parse(text)
        except ScenarioError as error:
            raise ScenarioError(f"{path}: {error}") from error

    def provider(self, slug: str) -> SimProvider | None:
        return next((one for one in self.providers if one.slug == slug), None)


@cache
def default_scenario() -> Scenario:
    """The bundled scenario: what the product offers while no real key exists."""
    return Scenario.load(DEFAULT_PATH)
