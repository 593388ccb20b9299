"""Fetching lists of models; what has not changed since the last time is not sent again."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.cache.cache import Cache
from gateway.cache.kinds import MODEL_LIST, FetchedList
from gateway.dialects.refusals import classify
from gateway.policy import PolicySource
from gateway.transport import OutgoingRequest, Transport, loop_now

_OK = range(200, 300)
_NOT_MODIFIED = 304


class Lists:
    def __init__(self, transport: Transport, policy: PolicySource, cache: Cache) -> None:
        self._transport = transport
        self._policy = policy
        self._cache = cache

    async def get(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        max_bytes: int,
        within_s: float,
        allows_private_address: bool,
    ) -> bytes:
        """The list as it is now; a failure is a failure, though an older list were kept."""
        key = (url, dict(headers))  # another key of the provider may see another list
        kept = await self._cache.peek(MODEL_LIST, key)
        until = loop_now() + within_s
        outgoing = OutgoingRequest(url=url, headers={**headers, **_if_changed(kept)}, method="GET")
        async with self._transport.exchange(
            outgoing,
            self._policy.current().timeouts,
            head_within_s=within_s,
            allows_private=allows_private_address,
            max_bytes=max_bytes,
        ) as incoming:
            body = await incoming.read_all(until - loop_now(), "the whole answer")
            if kept is not None and incoming.status == _NOT_MODIFIED:
                return kept.body.encode()
            if incoming.status not in _OK:
                raise classify(incoming.status, incoming.headers, body)
            self._keep(key, body, incoming.headers)
            return body

    def _keep(self, key: object, body: bytes, headers: Mapping[str, str]) -> None:
        etag, modified = headers.get("etag", ""), headers.get("last-modified", "")
        if not (etag or modified):
            return  # its host cannot tell whether it has changed
        try:
            fetched = FetchedList(body.decode(), etag, modified)
        except UnicodeDecodeError:
            return
        self._cache.put(MODEL_LIST, key, fetched)


def _if_changed(kept: FetchedList | None) -> dict[str, str]:
    if kept is None:
        return {}
    told = {"If-None-Match": kept.etag, "If-Modified-Since": kept.modified}
    return {name: value for name, value in told.items() if value}
