"""What can be recommended: offers, how they stand now, and a pool that is quick to look through."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from catalog.complexity import Needs
from gateway.dialects import Ability
from gateway.types import Limit, Unit

CHAT_MODALITIES = frozenset({"chat", "vision"})
# Estimated tokens may be too few; what fits only just is taken not to fit.
CONTEXT_MARGIN = 1.1

_LACKS = {
    Ability.IMAGES: "it does not read images",
    Ability.TOOLS: "it takes no tools",
    Ability.JSON: "it cannot be held to JSON",
    Ability.SCHEMA: "it cannot be held to a JSON schema",
}

_UNKNOWN_LEFT = 60.0
_UNKNOWN_HEALTH = 75.0
_PROBING_HEALTH = 40.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """One offer, with what is known of its model. None is unknown, not zero."""

    offer_id: int
    provider_slug: str
    provider_name: str
    model_slug: str
    model_name: str
    external_id: str
    family: str = ""
    params_b: float | None = None
    active_params_b: float | None = None
    modality: str = "chat"
    specialties: frozenset[str] = frozenset()
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    limits: tuple[Limit, ...] = ()
    pool: str = "*"
    lacks: frozenset[Ability] = frozenset()  # what its provider refuses, or has no words for
    is_simulated: bool = False
    doubt: str = ""  # what the check of its provider's key found: "Provider down"

    @property
    def label(self) -> str:
        return f"{self.model_name} on {self.provider_name}"

    def missing(self, abilities: frozenset[Ability]) -> list[Ability]:
        """Those that it does not have, the gravest first."""
        reads_images = self.modality == "vision"
        has_not = self.lacks if reads_images else self.lacks | {Ability.IMAGES}
        return [one for one in Ability if one in abilities & has_not]

    @property
    def speed_params_b(self) -> float | None:
        """What one token costs: a mixture computes with its active part only."""
        return self.active_params_b or self.params_b


@dataclass(frozen=True, slots=True)
class Standing:
    """How an offer stands now, as far as it was measured.

    `left` is the share of its tightest quota, 0 to 1; `left_words` the same for a person.
    """

    left: float | None = None
    left_words: str = ""
    is_refusing: bool = False  # breaker open, or nothing left
    is_probing: bool = False  # breaker half-open
    refusing_words: str = ""
    is_health_known: bool = False  # the breaker's state was read
    first_token_s: float | None = None
    tokens_per_s: float | None = None

    # What scoring reads, worked out once: a standing takes part in hundreds of decisions.
    refuses: bool = field(init=False, repr=False, compare=False)
    left_score: float = field(init=False, repr=False, compare=False)
    health_score: float = field(init=False, repr=False, compare=False)
    is_timed: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        known = {
            "refuses": self.is_refusing or self.left == 0,
            "left_score": _UNKNOWN_LEFT if self.left is None else 100.0 * self.left,
            "health_score": self._health(),
            "is_timed": self.first_token_s is not None or self.tokens_per_s is not None,
        }
        for name, value in known.items():
            object.__setattr__(self, name, value)

    def _health(self) -> float:
        if self.is_refusing:
            return 0.0
        if self.is_probing:
            return _PROBING_HEALTH
        return 100.0 if self.is_health_known else _UNKNOWN_HEALTH


NOTHING_KNOWN = Standing()


def why_unable(candidate: Candidate, needs: Needs) -> str | None:
    """Why a candidate cannot do it, in words; None where it can."""
    if candidate.modality not in CHAT_MODALITIES:
        return "it does not chat"
    if lacked := candidate.missing(needs.abilities):
        return _LACKS[lacked[0]]
    context = candidate.context_tokens
    if context is not None and context < needs.tokens * CONTEXT_MARGIN:
        return "its context is too short"
    if any(not _lets_pass(limit, needs) for limit in candidate.limits):
        return "its limits are smaller than this prompt"
    return None


def _lets_pass(limit: Limit, needs: Needs) -> bool:
    cost = needs.prompt_tokens if limit.unit is Unit.TOKENS else 1
    return limit.amount >= cost and limit.amount > 0


class Shape(NamedTuple):
    """What is scored of a model itself; many offers share one."""

    params_b: float | None
    speed_params_b: float | None
    specialties: frozenset[str]


class Entry(NamedTuple):
    """A candidate with what every decision asks of it, worked out once."""

    place: int  # in the pool, and who goes first, all else equal
    offer_id: int
    shape: int  # its place in `Pool.shapes`
    room: float  # tokens of context; infinite where unknown
    longest_prompt: float  # tokens that its limits let pass at once
    candidate: Candidate


class Pool:
    """Candidates that chat, arranged for many decisions. Never changes once it is built."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        chatting = [one for one in candidates if _can_ever_chat(one)]
        chatting.sort(key=lambda one: (one.model_slug, one.provider_slug, one.offer_id))
        shapes: dict[Shape, int] = {}
        self.entries = tuple(
            Entry(
                place=place,
                offer_id=one.offer_id,
                shape=shapes.setdefault(_shape(one), len(shapes)),
                room=math.inf if one.context_tokens is None else one.context_tokens,
                longest_prompt=_longest_prompt(one),
                candidate=one,
            )
            for place, one in enumerate(chatting)
        )
        self.shapes = tuple(shapes)
        self._least_room = min((one.room for one in self.entries), default=0.0)
        self._least_prompt = min((one.longest_prompt for one in self.entries), default=0.0)
        self._by_name: dict[tuple[str, str], list[int]] = {}
        for one in chatting:
            name = (one.provider_slug, one.external_id)
            self._by_name.setdefault(name, []).append(one.offer_id)

    def __len__(self) -> int:
        return len(self.entries)

    def offers_named(self, provider_slug: str, external_id: str) -> Sequence[int]:
        return self._by_name.get((provider_slug, external_id), ())

    def able(self, needs: Needs) -> Sequence[Entry]:
        """Those of whom `why_unable` has nothing to say."""
        room, prompt = needs.tokens * CONTEXT_MARGIN, needs.prompt_tokens
        able: Sequence[Entry] = self.entries
        if self._least_room < room or self._least_prompt < prompt:
            able = [one for one in able if one.room >= room and one.longest_prompt >= prompt]
        if needs.abilities:
            return [one for one in able if not one.candidate.missing(needs.abilities)]
        return able

    def reasons_against(self, needs: Needs) -> Counter[str]:
        """Why nobody else is able, in words, and of how many that is true."""
        reasons = (why_unable(one.candidate, needs) for one in self.entries)
        return Counter(reason for reason in reasons if reason)


def _can_ever_chat(candidate: Candidate) -> bool:
    has_quota = all(limit.amount > 0 for limit in candidate.limits)
    return candidate.modality in CHAT_MODALITIES and has_quota


def _shape(candidate: Candidate) -> Shape:
    return Shape(candidate.params_b, candidate.speed_params_b, candidate.specialties)


def _longest_prompt(candidate: Candidate) -> float:
    per_call = (limit.amount for limit in candidate.limits if limit.unit is Unit.TOKENS)
    return min(per_call, default=math.inf)
