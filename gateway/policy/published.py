"""What travels through Redis: the overrides, whole, with the version they are and since when."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from gateway import keys
from gateway.policy.levels import Overrides, Scope
from gateway.policy.rules import problems_of
from gateway.store import Script, Store

_REPLACE = Script("policy/lua/replace.lua")
_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Published:
    """`version` grows with every change; `at_us` is when it was published, by Redis' clock."""

    version: int = 0
    overrides: Overrides = field(default_factory=dict)
    at_us: int = field(default=0, compare=False)


async def publish(store: Store, truth: Callable[[], Awaitable[Published]]) -> Published:
    """Make what `truth` returns hold everywhere, unless it does already.

    `truth` is read after what Redis holds, and again whenever somebody else was quicker: of several
    who publish at once the last to look wins, and he saw what all of them had written.

    Raises ValueError where an override is not allowed (and publishes nothing), StoreAwayError
    without Redis.
    """
    while True:
        (there,) = await store.ask(("GET", keys.POLICY))
        wanted = await truth()
        if problems := problems_of(wanted.overrides):
            raise ValueError(str(problems[0]))
        if there is not None and (held := _understood(there)) == wanted and held is not None:
            return held
        (now,) = await store.ask(("TIME",))
        coming = replace(wanted, at_us=int(now[0]) * _US + int(now[1]))
        if await store.run(_REPLACE, [keys.POLICY], [there or "", encoded(coming)]):
            return coming


def encoded(published: Published) -> str:
    return json.dumps(
        {
            "version": published.version,
            "at_us": published.at_us,
            "overrides": [
                {"provider": scope.provider, "model": scope.model, "values": dict(values)}
                for scope, values in sorted(published.overrides.items())
                if values
            ],
        }
    )


def decoded(text: bytes) -> Published:
    """Raises ValueError on anything that `encoded` did not write."""
    try:
        plain: Any = json.loads(text)
        return Published(
            version=int(plain["version"]),
            at_us=int(plain["at_us"]),
            overrides={
                Scope(str(one["provider"]), str(one["model"])): dict(one["values"])
                for one in plain["overrides"]
            },
        )
    except (KeyError, TypeError) as error:
        raise ValueError("These are no overrides of a policy.") from error


def _understood(text: bytes) -> Published | None:
    try:
        return decoded(text)
    except ValueError:
        return None
