"""Which answers are kept, under which key, and in which form.

With `CacheMode.USE` only deterministic requests (temperature 0, or a seed) are read and kept: who
asks again for a creative answer wants another one. `REFRESH` and `ONLY` are explicit wishes and
hold for every request.
"""

from __future__ import annotations

from dataclasses import fields, replace

from gateway.cache.plain import digest, from_json, to_json
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


def answer_key(request: ChatRequest, target: Target) -> str:
    """Digest of everything that makes the answer, its owner included; not of the key used."""
    return digest(
        {
            "version": _VERSION,
            "owner": request.owner,
            "provider": target.provider,
            "base_url": target.base_url,
            "dialect": target.dialect,
            "model": target.model,
            "asked": {name: getattr(request, name) for name in _ASKED},
        }
    )


def flight_key(answer_keys: list[str]) -> str:
    """Calls with the same targets in the same order wait for one another."""
    return digest(answer_keys)


def encode(completion: Completion) -> bytes:
    """The answer, without what belongs to the call it was given to."""
    bare = replace(
        completion, call_id="", attempts=(), cached="", first_token_s=None, duration_s=0.0
    )
    return to_json(bare)


def decode(kept: bytes, call_id: str, tier: str) -> Completion | None:
    """None where the bytes are not what `encode` writes: then it is as if nothing were kept."""
    try:
        return replace(from_json(Completion, kept), call_id=call_id, cached=tier)
    except ValueError:
        return None
