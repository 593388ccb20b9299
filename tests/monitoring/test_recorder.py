"""Every call becomes exactly one row, whatever dies, locks or lies meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import pytest
from django.db import connection
from redis.asyncio import Redis

from gateway.keys import EVENT_STREAM
from gateway.types import Outcome
from monitoring.models import CallRecord, Course
from monitoring.recorder import GROUP, Recorder, recording
from tests.factories import make_attempt, make_event
from tests.monitoring.streams import eventually, send
from tests.servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)

RECORD_FOR_EVER = """
import asyncio, django
django.setup()
from django.conf import settings
from monitoring.recorder import Recorder
asyncio.run(Recorder(settings.REDIS_URL).run())
"""


@asynccontextmanager
async def running(redis_url: str, *, reclaim_idle_s: float = 30.0) -> AsyncIterator[Recorder]:
    recorder = Recorder(redis_url, reclaim_idle_s=reclaim_idle_s)
    task = asyncio.create_task(recorder.run())
    try:
        yield recorder
    finally:
        recorder.stop()
        await task
        await recorder.aclose()


async def pending(redis: Redis) -> int:
    return int((await redis.xpending(EVENT_STREAM, GROUP))["pending"])


async def test_keeps_every_field_of_a_call(redis_url: str, redis_client: Redis) -> None:
    """A row tells all that the event told."""
    event = make_event(
        outcome=Outcome.ANSWERED,
        provider="wagtail",
        attempts=(
            make_attempt(provider="sparrow", outcome=Outcome.THROTTLED, status=429, detail="Full."),
            make_attempt(provider="wagtail", started_s=0.4),
        ),
        detail="Answered by the second.",
    )
    async with running(redis_url):
        await send(redis_client, event)
        await eventually(CallRecord.objects.filter(call_id=event.call_id).aexists)

    row = await CallRecord.objects.aget()
    assert row.at.timestamp() == pytest.approx(event.at, abs=1e-3)
    assert (row.course, row.throttled_count, row.attempt_count) == (Course.FALLBACK, 1, 2)
    assert (row.source, row.owner, row.provider) == ("playground", "mara", "wagtail")
    assert (row.prompt_tokens, row.completion_tokens, row.detail) == (100, 80, event.detail)
    assert row.trail == event.attempts


async def test_a_call_told_twice_is_one_row(redis_url: str, redis_client: Redis) -> None:
    """At least once in, exactly once kept."""
    event = make_event()
    async with running(redis_url):
        await send(redis_client, event, event)
    async with running(redis_url):
        await send(redis_client, event)

    assert await CallRecord.objects.acount() == 1


async def test_shutdown_writes_what_has_arrived(redis_url: str, redis_client: Redis) -> None:
    """The lifespan's service ends only after the stream is read empty."""
    async with recording():
        await send(redis_client, *(make_event() for _ in range(1_200)))

    assert await CallRecord.objects.acount() == 1_200
    assert await pending(redis_client) == 0


async def test_malformed_events_hold_nobody_back(
    redis_url: str, redis_client: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """What is no call is acknowledged, counted and logged without its content."""
    good, liar = make_event(), make_event(duration_s=float("nan"))
    await redis_client.xadd(EVENT_STREAM, {"event": '{"secret": "do-not-log"}'})
    await redis_client.xadd(EVENT_STREAM, {"event": "[1, 2"})
    await redis_client.xadd(EVENT_STREAM, {"something": "else"})
    await send(redis_client, liar, good)
    async with running(redis_url) as recorder:
        await eventually(CallRecord.objects.filter(call_id=good.call_id).aexists)
        await eventually(lambda: _is_zero(redis_client))

    assert recorder.malformed == 4
    assert await CallRecord.objects.acount() == 1
    assert "do-not-log" not in caplog.text


async def _is_zero(redis: Redis) -> bool:
    return await pending(redis) == 0


async def test_text_a_database_cannot_hold_is_cut(redis_url: str, redis_client: Redis) -> None:
    """NUL bytes and endless names do not cost the row."""
    await send(redis_client, make_event(model="m" * 900, detail="a\x00b", owner="o" * 900))
    async with running(redis_url):
        await eventually(CallRecord.objects.aexists)

    row = await CallRecord.objects.aget()
    assert (row.detail, len(row.model), len(row.owner)) == ("ab", 200, 150)


async def test_a_killed_recorder_loses_nothing(redis_url: str, redis_client: Redis) -> None:
    """Killed with a batch read but not committed: another process writes it, once."""
    events = [make_event() for _ in range(1_300)]
    await send(redis_client, *events)
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "freellm_site.settings",
        "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
        "REDIS_URL": redis_url,
    }
    with closing(sqlite3.connect(connection.settings_dict["NAME"])) as lock:
        lock.execute("BEGIN IMMEDIATE")  # so that the kill strikes between reading and writing
        process = await asyncio.to_thread(_start_recorder, environment)
        try:
            await eventually(lambda: _has_pending(redis_client))
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        lock.rollback()
    assert not await CallRecord.objects.aexists()

    async with running(redis_url, reclaim_idle_s=0):
        await eventually(lambda: _has_rows(len(events)))

    kept = [call_id async for call_id in CallRecord.objects.values_list("call_id", flat=True)]
    assert sorted(kept) == sorted(event.call_id for event in events)
    assert await pending(redis_client) == 0


def _start_recorder(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", RECORD_FOR_EVER], env=environment)


async def _has_pending(redis: Redis) -> bool:
    groups = await redis.xinfo_groups(EVENT_STREAM)
    return bool(groups) and groups[0]["pending"] > 0


async def _has_rows(count: int) -> bool:
    return await CallRecord.objects.acount() >= count


async def test_killed_between_commit_and_acknowledgement(
    redis_url: str, redis_client: Redis
) -> None:
    """The row is there already: claiming the entry again changes nothing."""
    event = make_event()
    await send(redis_client, event)
    await redis_client.xgroup_create(EVENT_STREAM, GROUP, id="0")
    await redis_client.xreadgroup(GROUP, "the-dead", {EVENT_STREAM: ">"})
    async with running(redis_url, reclaim_idle_s=0):
        await eventually(lambda: _is_zero(redis_client))
    await redis_client.xgroup_setid(EVENT_STREAM, GROUP, "0")
    async with running(redis_url):
        pass

    assert await CallRecord.objects.acount() == 1


async def test_a_refusing_database_is_tried_again(redis_url: str, redis_client: Redis) -> None:
    """While the database takes nothing, events wait unacknowledged; then they are written."""
    table = CallRecord._meta.db_table
    with closing(sqlite3.connect(connection.settings_dict["NAME"])) as database:
        database.execute(f"ALTER TABLE {table} RENAME TO away")
        async with running(redis_url):
            await send(redis_client, make_event())
            await eventually(lambda: _has_pending(redis_client))
            database.execute(f"ALTER TABLE away RENAME TO {table}")
            await eventually(CallRecord.objects.aexists)

    assert await pending(redis_client) == 0


async def test_recovers_when_redis_comes_back(
    redis_url: str, redis_client: Redis, redis_server: RedisServer
) -> None:
    """Redis killed and started again, empty: the recorder makes its group anew and goes on."""
    async with running(redis_url):
        await send(redis_client, make_event())
        await eventually(lambda: _has_rows(1))
        redis_server.kill()
        redis_server.ensure_running()
        await redis_client.connection_pool.disconnect()
        await send(redis_client, make_event())
        await eventually(lambda: _has_rows(2))


async def test_names_of_old_processes_are_forgotten(redis_url: str, redis_client: Redis) -> None:
    """A consumer that is idle for long and owes nothing leaves the group."""
    await redis_client.xgroup_create(EVENT_STREAM, GROUP, id="0", mkstream=True)
    await redis_client.xgroup_createconsumer(EVENT_STREAM, GROUP, "long-gone")
    recorder = Recorder(redis_url, forget_consumer_after_s=0)
    recorder.stop()
    await recorder.run()
    await recorder.aclose()

    names = {one["name"] for one in await redis_client.xinfo_consumers(EVENT_STREAM, GROUP)}
    assert b"long-gone" not in names
