"""Which answers are kept, under which key, and in which form.

With `CacheMode.USE` only deterministic requests (temperature 0, or a seed) are read and kept: who
asks again for a creative answer wants another one. `REFRESH` and `ONLY` are explicit wishes and
hold for every request.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from gateway.types import CacheMode, ChatRequest, Completion, Target, Usage

_VERSION = 1


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
    return _digest(
        {
            "version": _VERSION,
            "owner": request.owner,
            "provider": target.provider,
            "base_url": target.base_url,
            "model": target.model,
            "messages": [[one.role, one.content] for one in request.messages],
            "temperature": request.temperature,
            "top_p": request.top_p,
            "max_tokens": request.max_tokens,
            "stop": request.stop,
            "seed": request.seed,
        }
    )


def flight_key(answer_keys: list[str]) -> str:
    """Calls with the same targets in the same order wait for one another."""
    return _digest(answer_keys)


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def encode(completion: Completion) -> bytes:
    kept = {
        "v": _VERSION,
        "text": completion.text,
        "finish_reason": completion.finish_reason,
        "usage": asdict(completion.usage),
        "provider": completion.provider,
        "model": completion.model,
        "label": completion.label,
    }
    return json.dumps(kept, separators=(",", ":")).encode()


def decode(kept: bytes, call_id: str, tier: str) -> Completion | None:
    """None where the bytes are not what `encode` writes: then it is as if nothing were kept."""
    try:
        said = json.loads(kept)
        if said.pop("v") != _VERSION:
            return None
        usage = Usage(**said.pop("usage"))
        return Completion(call_id=call_id, usage=usage, cached=tier, **said)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
