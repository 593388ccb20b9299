"""The whole way of a call, readable top to bottom.

    complete / stream -> recorded -> cache, single flight   cache/completions.py
        -> for each target: queue -> breakers -> limiter -> provider   attempts.py

One deadline covers all of it, one event tells of it, and leaving early undoes it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path

from gateway.admission import Admissions
from gateway.attempts import Attempting, Attempts
from gateway.cache.cache import Cache
from gateway.cache.completions import CompletionCache
from gateway.cache.tiers import Tiers
from gateway.call import Call
from gateway.clock import Clock, SystemClock
from gateway.dispatch import Dispatcher, LaneView, Sharing, Underway
from gateway.entrance import Entrance
from gateway.errors import GatewayError
from gateway.events import CallEvent, EventSink, NullEventSink, RedisEventSink
from gateway.fetches import Fetches
from gateway.gather import AT_ONCE, Ended, Progress, gather
from gateway.limiter.quota import Level
from gateway.limiter.survey import Survey
from gateway.lists import Lists
from gateway.policy import PolicySource
from gateway.policy.holding import Holder, holders
from gateway.policy.live import LivePolicy
from gateway.policy.published import Published, publish
from gateway.resilience.breaker import BreakerView
from gateway.resilience.watching import BreakerChange, BreakerSurvey, read_story
from gateway.store import Store, StoreAwayError
from gateway.transport import Transport
from gateway.types import (
    CacheMode,
    ChatRequest,
    Completion,
    Message,
    Outcome,
    StreamItem,
    Target,
)


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
        cache_folder: Path | None = None,
        process: str = "",
    ) -> None:
        self._store = store
        self.policy = policy
        self._sink = sink
        self._clock = clock
        self._tiers = Tiers(store, policy, clock, cache_folder)
        self._completions = CompletionCache(self._tiers, store, policy, clock)
        self.cache = Cache(self._tiers, store, policy, clock)  # for any other kind of data
        self._lists = Lists(transport, policy, self.cache)
        self._admissions = Admissions(store, policy, clock)
        self._dispatcher = Dispatcher(policy)
        self._underway = Underway()
        self.queues = Sharing(store, self._dispatcher, self._underway, process)
        self._attempts = Attempts(
            transport=transport,
            admissions=self._admissions,
            entrance=Entrance(self._admissions, self._dispatcher, policy),
            policy=policy,
            clock=clock,
        )
        self._fetches = Fetches(self._attempts)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        redis_url: str | None,
        *,
        policy: PolicySource | None = None,
        sink: EventSink | None = None,
        clock: Clock | None = None,
        cache_folder: Path | None = None,
        process: str = "",
        shares_queues: bool = False,
    ) -> AsyncIterator[Gateway]:
        """Own connections and Redis pool until the block is left.

        Without a `sink` events go to the Redis stream, without a `policy` it is the one published
        there; without a URL there is no Redis, and the engine is degraded by choice. Without a
        `cache_folder`, which the processes of a machine share, nothing is kept on disk. A named
        `process` tells which version of the policy it holds. One that shares its queues tells
        of them, and is paused, drained and has calls taken out together with all others.
        """
        async with Transport() as transport, Store(redis_url) as store, AsyncExitStack() as stack:
            if policy is None:
                live = LivePolicy(store, process=process)
                policy = await stack.enter_async_context(live.watched())
            gateway = cls(
                transport=transport,
                store=store,
                policy=policy,
                sink=sink or (RedisEventSink(store) if redis_url else NullEventSink()),
                clock=clock or SystemClock(),
                cache_folder=cache_folder,
                process=process,
            )
            if shares_queues:
                await stack.enter_async_context(gateway.queues.shared())
            try:
                yield gateway
            finally:
                await gateway.drain()
                await gateway.close()

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

    async def probe(
        self,
        target: Target,
        *,
        deadline_s: float = 30.0,
        source: str = "key-test",
        max_tokens: int = 16,
    ) -> Completion:
        """A tiny real call to see whether it is answered; only the limiter may hold it back.

        Raises the target's own error, such as AuthRejected, rather than AllTargetsFailed.
        """
        request = ChatRequest(
            messages=(Message("user", "Reply with the single word: ok"),),
            max_tokens=max_tokens,
            cache=CacheMode.SKIP,
            deadline_s=deadline_s,
            tests_key=True,
            source=source,
        )
        call = Call(request, self._clock, is_streamed=False)
        attempt = self._attempts.single(call, target)
        return await _last(self._recorded(call, attempt))

    async def get(
        self,
        url: str,
        *,
        target: Target | None = None,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = 32_000_000,
        within_s: float = 30.0,
        allows_private_address: bool = True,
    ) -> bytes:
        """Fetch a list; raises ProviderError on anything but 2xx, NotConfigured on a bad URL.

        One that was fetched before is asked for only if it has changed, where its host can tell.
        With a `target` it passes the target's queue, breakers and quota and is tried again where
        that can help; raises NotSent, too.
        """

        async def fetch(remaining_s: float) -> bytes:
            return await self._lists.get(
                url,
                headers or {},
                max_bytes=max_bytes,
                within_s=remaining_s,
                allows_private_address=allows_private_address,
            )

        if target is None:
            return await fetch(within_s)
        return await self._fetches.fetched(target, within_s, fetch)

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

    async def survey(self, targets: Sequence[Target]) -> Survey:
        """All that is known of the targets' quotas, for people; one trip, raises StoreAwayError."""
        return await self._admissions.limiter.survey(targets)

    async def learn_limits(self, target: Target, amounts: Mapping[str, int]) -> None:
        """Believe what a provider said of this key's limits elsewhere than in an answer.

        `amounts` is by the limit's name; those that the target's quota does not have are ignored.
        """
        await self._admissions.limiter.learn(target, amounts)

    async def breaker_states(
        self, pairs: Sequence[tuple[str, str | None]]
    ) -> dict[tuple[str, str | None], BreakerView]:
        """Breakers of offers (provider, model) and of providers (provider, None); one trip."""
        return await self._admissions.breakers.states(pairs)

    async def key_rests(self, targets: Sequence[Target]) -> dict[Target, str]:
        """The targets whose key was refused and is set aside, with what was said; one trip."""
        return await self._admissions.key_rests.resting(targets)

    async def force_breaker(
        self,
        provider: str,
        model: str | None,
        *,
        is_open: bool,
        for_s: float,
        reason: str,
        by: str = "",
    ) -> None:
        """Hold an offer's calls back, or let them through; of a provider where `model` is None.

        In every process, for `for_s` seconds; raises ValueError, and StoreAwayError without Redis.
        """
        await self._admissions.breakers.force(
            provider, model, is_open=is_open, for_s=for_s, reason=reason, by=by
        )

    async def reset_breaker(
        self, provider: str, model: str | None, *, reason: str = "", by: str = ""
    ) -> None:
        """Close it, forget what it counted and what was forced; raises StoreAwayError."""
        await self._admissions.breakers.reset(provider, model, reason=reason, by=by)

    async def watch_breakers(self, pairs: Sequence[tuple[str, str | None]]) -> BreakerSurvey:
        """All that is known of these breakers, for people; one trip, raises StoreAwayError."""
        return await self._admissions.breakers.watch(pairs)

    async def breaker_story(self, after: Mapping[str, str]) -> list[BreakerChange]:
        """What changed breakers' states after these entries, by provider; raises StoreAwayError."""
        return await read_story(self._store, after)

    async def cache_counters(self, day: str) -> dict[str, int]:
        """Of a day (YYYY-MM-DD, UTC), as {"completion:memory:hits": 3, ...}."""
        return await self.cache.counters(day)

    async def publish_policy(self, truth: Callable[[], Awaitable[Published]]) -> Published:
        """Make `truth` hold in every process; see `gateway.policy.published.publish`.

        Without Redis it holds in this process at least, and StoreAwayError is raised.
        """
        try:
            return await publish(self._store, truth)
        except StoreAwayError:
            if isinstance(self.policy, LivePolicy):
                self.policy.hold(await truth())
            raise

    async def policy_holders(self) -> list[Holder]:
        """Which process holds which version; raises StoreAwayError without Redis."""
        return await holders(self._store)

    async def tell(self, event: CallEvent) -> None:
        """Tell of a call that whoever carried it out can no longer tell of."""
        self._sink.emit(event)

    async def drain(self) -> None:
        """Wait until everything that is told after an answer (events, real usage) is told."""
        await self._admissions.drain()
        await self.cache.drain()
        await self._tiers.drain()
        await self._store.drain()

    async def close(self) -> None:
        await self._tiers.close()

    async def _recorded(self, call: Call, answering: Attempting) -> Attempting:
        """Whatever happens to the call, one event tells of it."""
        outcome, completion, detail = Outcome.CANCELLED, None, "The caller went away."
        watched = self._underway.watched(call, answering)
        try:
            async with aclosing(watched):
                async for item in watched:
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
            self._sink.emit(call.event(outcome, completion, detail))

    def _answered(self, call: Call, targets: Sequence[Target]) -> Attempting:
        """From the cache, from an equal call under way, or from a target."""
        return self._completions.answered(call, targets, lambda: self._fresh(call, targets))

    def _fresh(self, call: Call, targets: Sequence[Target]) -> Attempting:
        return self._attempts.run(call, targets)


async def _last(items: Attempting) -> Completion:
    """Run to the end, which is a Completion or an error."""
    last: StreamItem | None = None
    async with aclosing(items):
        async for item in items:
            last = item
    if not isinstance(last, Completion):
        raise TypeError("a call ends in a Completion or an error")
    return last
