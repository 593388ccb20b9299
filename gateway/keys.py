"""Every key the engine uses in Redis, built here only; docs/redis-keys.md explains each.

`{...}` is the hash tag: keys that one script touches together share it, so that they live on one
node of a cluster. Parts that come from outside are percent-encoded, so that no name can pose as
another's key.
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import quote, unquote

PREFIX = "freellm"

EVENT_STREAM = f"{PREFIX}:events"
EVENT_STREAM_LENGTH = 100_000  # about; the recorder reads within a second

# Overrides of the policy, published whole; the database keeps them for ever.
POLICY = f"{PREFIX}:policy"
# Which process holds which version of it; each tells anew every other second.
POLICY_HOLDERS = f"{PREFIX}:policy:holders"
POLICY_HOLDERS_TTL_S = 60

# Who runs and waits in each process; which providers are paused or drained; calls to be taken out.
QUEUES = f"{PREFIX}:queues"
QUEUES_TTL_S = 60
QUEUE_HOLDS = f"{PREFIX}:queues:holds"
QUEUE_HOLDS_TTL_S = 2 * 86_400
CALLED_OFF = f"{PREFIX}:queues:called-off"
CALLED_OFF_TTL_S = 60

# A window's counters outlive the window, so that late settlements still find them.
WINDOW_TTL_FACTOR = 2
BREAKER_TTL_S = 86_400
CACHE_COUNTERS_TTL_S = 400 * 86_400

# What was made void in the cache, for longer than anything is kept.
CACHE_VOIDS = f"{PREFIX}:cache:voids"
CACHE_VOIDS_TTL_S = 62 * 86_400


def quota_pool(provider: str, key_id: str, pool: str) -> str:
    """What the keys of one (provider, key, pool) have in common."""
    return f"{PREFIX}:quota:{{{_part(provider)}}}:{_part(key_id)}:{_part(pool)}"


def quota_window(provider: str, key_id: str, pool: str, limit: str) -> str:
    return f"{quota_pool(provider, key_id, pool)}:{limit}"


def quota_state(provider: str, key_id: str, pool: str) -> str:
    """What is known of a pool beyond its published limits, and who waits for it; a hash."""
    return f"{quota_pool(provider, key_id, pool)}:state"


def provider_breaker(provider: str) -> str:
    return f"{PREFIX}:breaker:{{{_part(provider)}}}:*"


def offer_breaker(provider: str, model: str) -> str:
    return f"{PREFIX}:breaker:{{{_part(provider)}}}:offer:{_part(model)}"


def breaker_story(provider: str) -> str:
    """What changed the state of the provider's breakers, and of its offers', a stream."""
    return f"{PREFIX}:breaker:{{{_part(provider)}}}:story"


def whose_breaker(key: str) -> tuple[str, str | None]:
    """The provider and the offer's model; None: the breaker is the provider's own."""
    provider, _, rest = key.removeprefix(f"{PREFIX}:breaker:{{").partition("}:")
    model = rest.removeprefix("offer:") if rest.startswith("offer:") else None
    return unquote(provider), None if model is None else unquote(model)


def key_rest(provider: str, key_id: str, digest: str, model: str | None = None) -> str:
    """Why a provider's key rests, as a whole or for one model; `digest` is of the key's value."""
    rest = f"{PREFIX}:key-rest:{{{_part(provider)}}}:{_part(key_id)}:{digest}"
    return rest if model is None else f"{rest}:{_part(model)}"


def cached(kind: str, digest: str) -> str:
    return f"{PREFIX}:cache:{kind}:{digest}"


def flight(digest: str) -> str:
    return f"{PREFIX}:flight:{digest}"


def cache_counters(span: str) -> str:
    """Hits, misses and more per kind and tier, a hash.

    `span` is a day of UTC (2026-11-22), one of its hours (2026-11-22T21) or minutes (...T21:05).
    """
    return f"{PREFIX}:cache:counters:{span}"


@lru_cache(maxsize=10_000)  # the same few names in every call
def _part(name: str) -> str:
    return quote(name, safe="")
