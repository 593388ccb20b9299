"""Which answers are kept, under which key, and in which form.

With `CacheMode.USE` only deterministic requests (temperature 0, or a seed) are read and kept: who
asks again for a creative answer wants another one. `REFRESH` and `ONLY` are explicit wishes and
hold for every request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from urllib.parse import quote

from gateway.cache.kinds import COMPLETION
from gateway.cache.plain import digest
from gateway.types import CacheMode, ChatRequest, Completion, Target

_VERSION = 2
# How a call is made, but not what is asked. Everything else makes another key.
_OF_THE_CALL = {"priority", "cache", "deadline_s", "owner", "tests_key", "source", "call_id"}
_ASKED = tuple(one.name for one in fields(ChatRequest) if one.name not in _OF_THE_CALL)


def is_deterministic(request: ChatRequest) -> bool:
    return request.temperature == 0 or request.seed is not None


def may_read(request: ChatRequest) -> bool:
    if request.cache is CacheMode.USE:
        return is_deterministic(request)
    return request.cache is CacheMode.ONLY


def may_keep(request: ChatRequest) -> bool:
    if request.cache is CacheMode.USE:
        return is_deterministic(request)
    return request.cache is CacheMode.REFRESH


def answer_keys(
    request: ChatRequest, targets: Sequence[Target], *, is_shared: bool = False
) -> list[str]:
    """For each target the digest of everything that makes its answer; not of the key used.

    The owner is part of it, unless kept answers are shared between owners.
    """
    asked = digest([getattr(request, name) for name in _ASKED])
    owner = None if is_shared else request.owner
    return [
        digest([_VERSION, owner, one.provider, one.base_url, one.dialect, one.model, asked])
        for one in targets
    ]


def answer_key(request: ChatRequest, target: Target) -> str:
    return answer_keys(request, [target])[0]


def flight_key(answer_keys: list[str]) -> str:
    """Calls with the same targets in the same order wait for one another."""
    return answer_keys[0] if len(answer_keys) == 1 else digest(answer_keys)


def tags(request: ChatRequest, target: Target) -> tuple[str, ...]:
    """By which an answer can be made void together with others."""
    return (
        f"owner:{quote(request.owner)}",
        f"provider:{quote(target.provider)}",
        f"offer:{quote(target.provider)}/{quote(target.model)}",
    )


def encode(completion: Completion) -> bytes:
    """The answer and how long it took, without what else belongs to the call it was given to."""
    return COMPLETION.encode(
        replace(completion, call_id="", attempts=(), cached="", first_token_s=None)
    )


def decode(kept: bytes, call_id: str, tier: str) -> Completion | None:
    """None where the bytes are not what `encode` writes: then it is as if nothing were kept."""
    try:
        return replace(COMPLETION.decode(kept), call_id=call_id, cached=tier)
    except ValueError:
        return None
