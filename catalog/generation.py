"""A number in Redis that grows with every change of the catalog.

Each process keeps its own snapshot and compares this number before it uses it, so that a
refresh or an admin's switch is seen everywhere within a second.
"""

from __future__ import annotations

import logging
from functools import lru_cache

from django.conf import settings
from redis import Redis, RedisError

from freellm_site.lib.redis_watch import WatchedRedis

KEY = "freellm:catalog:generation"
# Only kept from staying for ever where the product is gone; losing it costs one reload.
TTL_S = 90 * 86_400

logger = logging.getLogger(__name__)


def bump() -> None:
    """Tell every process that the catalog changed; without Redis they notice by age alone."""
    try:
        with _redis(settings.REDIS_URL).pipeline() as pipeline:
            pipeline.incr(KEY)
            pipeline.expire(KEY, TTL_S)
            pipeline.execute()
    except RedisError as error:
        logger.warning("The catalog's generation could not be raised: %s", error)


def current() -> int | None:
    """The generation now; None where Redis does not answer."""
    try:
        value = _redis(settings.REDIS_URL).get(KEY)
    except RedisError:
        return None
    return int(value) if isinstance(value, bytes) else 0


@lru_cache(maxsize=2)
def _redis(url: str) -> Redis:
    return WatchedRedis.from_url(url, socket_connect_timeout=0.3, socket_timeout=0.5)
