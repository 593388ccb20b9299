"""Bring what the database says to every process; and again, when Redis has lost it.

The one owner of that is the web process: each looks every other second whether Redis holds the
truth. Several at once do no harm (`gateway.policy.published`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from asgiref.sync import async_to_sync, sync_to_async
from django.db import DatabaseError, connection

from catalog.engine import engine
from gateway.policy.published import Published
from gateway.store import StoreAwayError
from monitoring.tuning.changes import truth

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
_Read = Callable[[], Awaitable[Published]]


@asynccontextmanager
async def publishing() -> AsyncIterator[None]:
    """Keep the policy published for as long as the web process lives."""
    task = asyncio.create_task(_keep_published(), name="policy-publisher")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def publish_now() -> bool:
    """After a change; whether it is on its way to every process. Without Redis it waits for it."""
    return async_to_sync(_publish_now)()


async def _publish_now() -> bool:
    async with engine() as gateway:
        try:
            await gateway.publish_policy(sync_to_async(truth))
        except StoreAwayError:
            return False
    return True


async def _keep_published() -> None:
    # A thread of its own: no request waits for it, and its connection lives in it.
    thread = ThreadPoolExecutor(1, thread_name_prefix="policy")
    loop = asyncio.get_running_loop()

    async def read() -> Published:
        return await loop.run_in_executor(thread, truth)

    try:
        while True:
            await _publish(read)
            await asyncio.sleep(LOOK_EVERY_S)
    finally:
        thread.submit(connection.close)
        thread.shutdown(wait=False)


async def _publish(read: _Read) -> None:
    try:
        async with engine() as gateway:
            await gateway.publish_policy(read)
    except StoreAwayError:
        return  # this process holds it all the same; the next look finds Redis back
    except DatabaseError as error:
        logger.warning("The tunings cannot be read now, trying again: %s", error)
    except ValueError:
        logger.exception("The tunings in the database contradict each other; the last ones hold.")
    except Exception:
        logger.exception("The tunings could not be published, trying again.")
