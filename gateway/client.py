"""The whole way of a call, readable top to bottom.

    complete / stream -> recorded -> cache -> (single flight) -> for each target:
        queue -> breakers -> limiter -> provider            attempts.py

One deadline covers all of it, one event tells of it, and leaving early undoes it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

from gateway.admission import Admissions
from gateway.attempts import Attempting, Attempts
from gateway.background import Background
from gateway.cache.completions import CompletionCache, replayed
from gateway.cache.flight import Flights
from gateway.cache.tiers import Tiers
from gateway.call import Call
from gateway.clock import Clock, SystemClock
from gateway.dialects.refusals import classify
from gateway.dispatch import Dispatcher, LaneView
from gateway.entrance import Entrance
from gateway.errors import GatewayError, NotCached
from gateway.events import CallEvent, EventSink, NullEventSink, RedisEventSink
from gateway.gather import AT_ONCE, Ended, Progress, gather
from gateway.limiter.quota import Level
from gateway.policy import PolicySource
from gateway.policy.live import LivePolicy
from gateway.resilience.breaker import BreakerView
from gateway.store import Store
from gateway.transport import OutgoingRequest, Transport
from gateway.types import (
    CacheMode,
    ChatRequest,
    Completion,
    Message,
    Outcome,
    StreamItem,
    Target,
)

_OK = range(200, 300)


class Gateway:
    """Calls targets. One per event loop; made by `Gateway.open`."""

    def __init__(
        self,
        *,
        transport: Transport,
        store: Store,
        policy: PolicySource,
        sink: EventSink,
        clock: Clock,
    ) -> None:
        self._transport = transport
        self._store = store
        self._policy = policy
        self._sink = sink
        self._clock = clock
        self._background = Background()
        self._tiers = Tiers(store, policy, clock)
        self._cache = CompletionCache(self._tiers, Flights(store, policy))
        self._admissions = Admissions(store, policy, clock)
        self._dispatcher = Dispatcher(policy)
        self._attempts = Attempts(
            transport=transport,
            admissions=self._admissions,
            entrance=Entrance(self._admissions, self._dispatcher, policy),
            clock=clock,
        )

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        redis_url: str | None,
        *,
        policy: PolicySource | None = None,
        sink: EventSink | None = None,
        clock: Clock | None = None,
    ) -> AsyncIterator[Gateway]:
        """Own connections and Redis pool until the block is left.

        Without a `sink` events go to the Redis stream, without a `policy` it is the one published
        there; without a URL there is no Redis, and the engine is degraded by choice.
        """
        async with Transport() as transport, Store(redis_url) as store, AsyncExitStack() as stack:
            if policy is None:
                policy = await stack.enter_async_context(LivePolicy(store).watched())
            gateway = cls(
                transport=transport,
                store=store,
                policy=policy,
                sink=sink or (RedisEventSink(store) if redis_url else NullEventSink()),
                clock=clock or SystemClock(),
            )
            try:
                yield gateway
            finally:
                await gateway.drain()

    async def complete(self, request: ChatRequest, targets: Sequence[Target]) -> Completion:
        """The answer of the first target that gives one; raises GatewayError."""
        call = Call(request, self._clock, is_streamed=False)
        return await _last(self._recorded(call, self._answered(call, targets)))

    async def stream(
        self, request: ChatRequest, targets: Sequence[Target]
    ) -> AsyncGenerator[StreamItem, None]:
        """Failed `Attempt`s, `Started`, `Chunk`s, at last the `Completion`; raises GatewayError.

        Closing the iterator or cancelling the task drops the connection upstream at once.
        After the first `Chunk` there is no fallback: StreamCut is raised.
        """
        call = Call(request, self._clock, is_streamed=True)
        async with aclosing(self._recorded(call, self._answered(call, targets))) as items:
            async for item in items:
                yield item

    async def gather(
        self,
        requests: Sequence[ChatRequest],
        targets: Sequence[Target],
        *,
        at_once: int = AT_ONCE,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> list[Ended]:
        """`complete` for each request: its answer or its error, in the order of `requests`."""
        return await gather(
            lambda request: self.complete(request, targets),
            requests,
            at_once=at_once,
            on_progress=on_progress,
        )

    async def probe(self, target: Target, *, deadline_s: float = 30.0) -> Completion:
        """A tiny real call to see whether a key works; only the limiter may hold it back.

        Raises the target's own error, such as AuthRejected, rather than AllTargetsFailed.
        """
        request = ChatRequest(
            messages=(Message("user", "Reply with the single word: ok"),),
            max_tokens=16,
            cache=CacheMode.SKIP,
            deadline_s=deadline_s,
            tests_key=True,
            source="key-test",
        )
        call = Call(request, self._clock, is_streamed=False)
        attempt = self._attempts.single(call, target, self._policy.current())
        return await _last(self._recorded(call, attempt))

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = 32_000_000,
        within_s: float = 30.0,
        allows_private_address: bool = True,
    ) -> bytes:
        """Fetch a list; raises ProviderError on anything but 2xx, NotConfigured on a bad URL."""
        outgoing = OutgoingRequest(url=url, headers=headers or {}, method="GET")
        async with self._transport.exchange(
            outgoing,
            self._policy.current().timeouts,
            head_within_s=within_s,
            allows_private=allows_private_address,
            max_bytes=max_bytes,
        ) as incoming:
            body = await incoming.read_all(within_s, "the whole answer")
            if incoming.status in _OK:
                return body
            raise classify(incoming.status, incoming.headers, body)

    @property
    def is_degraded(self) -> bool:
        """Whether Redis is away, so that this process limits itself alone."""
        return self._store.is_degraded

    @property
    def round_trips(self) -> int:
        """Trips to Redis since the engine was opened."""
        return self._store.round_trips

    def lanes(self) -> Mapping[str, LaneView]:
        """Who runs and who waits at each provider, in this process, and for how long still."""
        return self._dispatcher.lanes()

    async def levels(self, targets: Sequence[Target]) -> dict[Target, Level]:
        """How full each target's quota is; one round trip, unknown while Redis is away."""
        return await self._admissions.limiter.levels(targets)

    async def breaker_states(
        self, pairs: Sequence[tuple[str, str | None]]
    ) -> dict[tuple[str, str | None], BreakerView]:
        """Breakers of offers (provider, model) and of providers (provider, None); one trip."""
        return await self._admissions.breakers.states(pairs)

    async def key_rests(self, targets: Sequence[Target]) -> dict[Target, str]:
        """The targets whose key was refused and is set aside, with what was said; one trip."""
        return await self._admissions.key_rests.resting(targets)

    async def cache_counters(self, day: str) -> dict[str, int]:
        """Hits and misses per tier on a day (YYYY-MM-DD, UTC): {"memory:hits": 3, ...}."""
        return await self._tiers.counters(day)

    async def tell(self, event: CallEvent) -> None:
        """Tell of a call that whoever carried it out can no longer tell of."""
        await self._sink.emit(event)

    async def drain(self) -> None:
        """Wait until everything that is told after an answer (events, real usage) is told."""
        await self._admissions.drain()
        await self._background.drain()
        await self._tiers.count_up()
        await self._store.drain()

    async def _recorded(self, call: Call, answering: Attempting) -> Attempting:
        """Whatever happens to the call, one event tells of it."""
        outcome, completion, detail = Outcome.CANCELLED, None, "The caller went away."
        try:
            async with aclosing(answering):
                async for item in answering:
                    if isinstance(item, Completion):
                        completion, outcome, detail = item, Outcome.ANSWERED, ""
                    yield item
        except GatewayError as error:
            outcome, detail = error.outcome, error.message
            raise
        except Exception:
            outcome, detail = Outcome.UNAVAILABLE, "Something inside the engine failed."
            raise
        finally:
            event = call.event(outcome, completion, detail)
            self._background.later(self._sink.emit(event))
            self._background.later(self._tiers.count_up())

    async def _answered(self, call: Call, targets: Sequence[Target]) -> Attempting:
        """From the cache, from an equal call under way, or from a target."""
        kept = await self._cache.find(call, targets)
        if kept is None and call.request.cache is CacheMode.ONLY:
            raise NotCached("No answer to this request is kept.")
        if kept is None and self._cache.shares(call):
            kept = await self._cache.share(call, targets, lambda: _last(self._fresh(call, targets)))
        if kept is not None:
            for item in replayed(kept):
                yield item
            return
        async with aclosing(self._fresh(call, targets)) as items:
            async for item in items:
                if isinstance(item, Completion):
                    self._cache.keep(call, targets, item)
                yield item

    def _fresh(self, call: Call, targets: Sequence[Target]) -> Attempting:
        return self._attempts.run(call, targets, self._policy.current())


async def _last(items: Attempting) -> Completion:
    """Run to the end, which is a Completion or an error."""
    last: StreamItem | None = None
    async with aclosing(items):
        async for item in items:
            last = item
    if not isinstance(last, Completion):
        raise TypeError("a call ends in a Completion or an error")
    return last
