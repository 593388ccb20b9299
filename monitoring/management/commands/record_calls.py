"""The recorder's process: it writes calls to the database until it is stopped."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from django.core.management.base import BaseCommand

from monitoring.recorder import recording


class Command(BaseCommand):
    help = "Write the calls that the engines tell of to the database until stopped."

    def handle(self, *args: Any, **options: Any) -> None:
        asyncio.run(_record())


async def _record() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with recording():
        await stop.wait()
