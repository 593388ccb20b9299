"""A Celery worker holds the policy from its start to its end, in a thread with a loop of its own.

So a task begins with what holds now, and the tuning page can say whether every worker has it.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from celery.signals import (
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
)

from catalog.engine import holding_policy

_PATIENCE_S = 3.0


class _Keeper:
    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending = asyncio.Event()

    def start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="policy", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        if self._thread is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._ending.set)
            self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        asyncio.run(self._hold())

    async def _hold(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with holding_policy():
            await self._ending.wait()


_keeper = _Keeper()


@worker_ready.connect
def hold_in_worker(sender: Any = None, **_: object) -> None:
    """Unless its tasks run in processes of their own, each of which holds one for itself."""
    if not type(getattr(sender, "pool", None)).__module__.endswith("prefork"):
        _keeper.start()


@worker_process_init.connect
def hold_in_child(**_: object) -> None:
    _keeper.start()


@worker_shutdown.connect
@worker_process_shutdown.connect
def let_go(**_: object) -> None:
    _keeper.stop()
