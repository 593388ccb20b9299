"""Why an offer was recommended, in words. A guess says that it is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from catalog.complexity import Complexity, Needs
from freellm_site.lib import format as formats

if TYPE_CHECKING:
    from catalog.candidates import Candidate, Standing
    from catalog.scoring import Band

Aspect = Literal["fit", "room", "speed", "left", "health"]
Tone = Literal["ok", "plain", "warn"]

_SKILL_WORDS = {
    "code": "coder model",
    "reasoning": "reasons step by step",
    "math": "good at mathematics",
    "translation": "made for translation",
    "multilingual": "speaks many languages",
}
_SHOW_CONTEXT_FROM = 2_000


@dataclass(frozen=True, slots=True)
class Reason:
    aspect: Aspect
    text: str
    tone: Tone = "plain"


def reasons_for(
    candidate: Candidate, needs: Needs, band: Band, standing: Standing, predicted_s: float
) -> tuple[Reason, ...]:
    """At most one sentence for each aspect, the reason to choose it first."""
    found = (
        _health(standing),
        _fit(candidate, needs, band),
        _room(candidate, needs),
        _speed(candidate, standing, predicted_s),
        _left(candidate, standing),
    )
    return tuple(reason for reason in found if reason is not None)


def _health(standing: Standing) -> Reason | None:
    if standing.is_refusing:
        return Reason("health", standing.refusing_words or "refuses calls just now", "warn")
    if standing.is_probing:
        return Reason("health", "failed lately and is being tried again", "warn")
    return None


def _fit(candidate: Candidate, needs: Needs, band: Band) -> Reason:
    skills = [_SKILL_WORDS[one] for one in needs.skills if one in candidate.specialties]
    size, suits = _size(candidate.params_b, needs.complexity, band)
    misses = bool(needs.skills) and needs.skills[0] not in candidate.specialties
    words = "; ".join([", ".join(skills), size] if skills else [size])
    return Reason("fit", words, "ok" if suits and not misses else "plain")


def _size(params_b: float | None, complexity: Complexity, band: Band) -> tuple[str, bool]:
    if params_b is None:
        return "its size is not published", False
    shown = f"{params_b:g}B"
    if band.best_low <= params_b <= band.best_high:
        return f"{shown}, right size for a {complexity} task", True
    if params_b > band.best_high:
        return f"{shown}, more than a {complexity} task needs", True
    if params_b >= band.low:
        return f"{shown}, small for a {complexity} task, but none of its kind is larger", False
    return f"{shown}, small for a {complexity} task", False


def _room(candidate: Candidate, needs: Needs) -> Reason | None:
    needed = f"{formats.quantity(needs.tokens)} tokens"
    if candidate.context_tokens is not None:
        return Reason("room", f"fits {needed}", "ok")
    if needs.tokens < _SHOW_CONTEXT_FROM:
        return None
    return Reason("room", f"its context is not published; {needed} may be too long", "warn")


def _speed(candidate: Candidate, standing: Standing, predicted_s: float) -> Reason:
    about = f"answers in about {formats.seconds(predicted_s)}"
    if standing.tokens_per_s is not None:
        return Reason("speed", f"{about}, as measured lately")
    if candidate.speed_params_b is None:
        return Reason("speed", f"{about}, a guess")
    return Reason("speed", f"{about}, guessed from its size")


def _left(candidate: Candidate, standing: Standing) -> Reason:
    if standing.left is not None:
        low = standing.left < 0.2  # noqa: PLR2004 - where the pages turn amber
        words = standing.left_words or f"{formats.percent(standing.left, 0)} of its quota left"
        return Reason("left", words, "warn" if low else "plain")
    if candidate.limits:
        return Reason("left", "what is left is not known just now")
    return Reason("left", "its limits are not reported")
