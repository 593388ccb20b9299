"""How long all lists take together, beside the slowest of them alone; what they cost in memory.

Forty simulated providers list 3 000 models, each request after 300 ms; two of them in ten pages.
The refresh runs in a process of its own, on a new database: the queue's part is left out, all else
is the product's. The best possible is the slowest list by itself. Applying is timed apart, with all
models new, which is the most it ever has to write; in seconds of the processor, of which it needs
all, so that a busy machine does not hide what it costs.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import ground
from benchmarks.result import Claim, Result

if TYPE_CHECKING:
    from catalog.models import Provider
    from catalog.sources.registry import ReadList

PROVIDERS, MODELS, LATENCY_S = 40, 3_000, 0.3
_PAGED = 2  # providers that list in pages of PAGE
_PAGE = 20
_SETTINGS = {
    "SECRET_KEY": "benchmark",
    "FIELD_ENCRYPTION_KEYS": "A" * 43 + "=",
    "DJANGO_SETTINGS_MODULE": "freellm_site.settings",
}


async def run(is_tiny: bool) -> Result:
    providers, models = (4, 80) if is_tiny else (PROVIDERS, MODELS)
    measured = await asyncio.to_thread(_measured, providers, models)
    times_slowest = measured["all_s"] / measured["slowest_s"]
    return Result(
        name="catalog_refresh",
        unit="s",
        baseline=round(measured["one_by_one_s"], 3),
        ours=round(measured["all_s"], 3),
        limit=round(measured["slowest_s"], 3),
        claims=(
            Claim("beside the slowest list alone", round(times_slowest, 3), "≤", 1.5, "times"),
            Claim("peak memory above idle", round(measured["memory_mb"], 1), "≤", 200, "MB"),
            Claim("applying all, all new", round(measured["apply_cpu_s"], 3), "≤", 1.0, "s CPU"),
        ),
        details={
            "lists": f"{providers}, {measured['offers']:.0f} models, {LATENCY_S} s per request",
            "one after another": f"{measured['one_by_one_s']:.1f} s (the sum of their own times)",
            "applying by the clock": f"{measured['apply_s']:.2f} s",
            "applying the same lists again": f"{measured['again_cpu_s']:.3f} s CPU",
        },
    )


def _measured(providers: int, models: int) -> dict[str, float]:
    with (
        ground.simulator(_scenario(providers, models)) as url,
        ground.redis() as redis_url,
        tempfile.TemporaryDirectory() as folder,
    ):
        database = f"sqlite:///{folder}/catalog.sqlite3"
        where = {"DATABASE_URL": database, "REDIS_URL": redis_url, "VAR_DIR": folder}
        done = subprocess.run(  # noqa: S603 - this file
            [sys.executable, "-m", "benchmarks.catalog_refresh", url, str(providers)],
            env={**os.environ, **_SETTINGS, **where},
            stdout=subprocess.PIPE,
            check=True,
        )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _scenario(providers: int, models: int) -> str:
    each = models // providers
    paged_models = min(10 * _PAGE, models // 4)
    parts = ['name = "catalog"', "seed = 1"]
    for number in range(providers):
        is_paged = number < _PAGED
        parts += [
            "[[providers]]",
            f'slug = "sim-{number}"',
            f'name = "Simulator {number}"',
            f"list_s = {LATENCY_S}",
            'dialect = "cohere"\nstyle = "cohere"' if is_paged else "",
        ]
        for model in range(paged_models if is_paged else each):
            size = model % 90 + 1
            parts += [
                "[[providers.models]]",
                f'id = "maker-{number}/bird-{number}-{model}-{size}b-instruct"',
                f'name = "Bird {number}-{model} {size}B Instruct"',
                "context_tokens = 131072",
            ]
    return "\n".join(parts)


# --- in the process that refreshes ---------------------------------------------------------------


def _refresh_and_tell(url: str, count: int) -> None:
    import django  # noqa: PLC0415 - only this process is a Django one

    django.setup()
    from django.apps import apps  # noqa: PLC0415
    from django.conf import settings  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415

    # Tables as the models say: the way there by migrations takes longer than all that is measured.
    settings.MIGRATION_MODULES = {one.label: None for one in apps.get_app_configs()}
    call_command("migrate", run_syncdb=True, verbosity=0)
    providers = [_provider(url, number) for number in range(count)]
    _refreshed(providers[-1])  # everything is imported and every table has been met
    own_s = [_refreshed(providers[0]), _refreshed(providers[-1])]
    _forget()
    with _peak_memory() as memory:
        all_s = _refreshed(None)
    offers = _offers()
    lists = asyncio.run(_fetched(providers))
    _forget()
    (apply_s, apply_cpu_s), (_, again_cpu_s) = (
        _applied(providers, lists),
        _applied(providers, lists),
    )
    figures = {
        "all_s": all_s,
        "slowest_s": own_s[0],
        "one_by_one_s": own_s[0] * min(_PAGED, count) + own_s[1] * (count - _PAGED),
        "memory_mb": memory["mb"],
        "apply_s": apply_s,
        "apply_cpu_s": apply_cpu_s,
        "again_cpu_s": again_cpu_s,
        "offers": offers,
    }
    print(json.dumps(figures))


def _provider(url: str, number: int) -> Provider:
    from catalog.models import Provider  # noqa: PLC0415

    is_paged = number < _PAGED
    shape = "cohere" if is_paged else "openai"
    provider: Provider = Provider.objects.create(
        slug=f"sim-{number}",
        name=f"Simulator {number}",
        base_url=f"{url}/sim-{number}/v1",
        auth="none",
        list_url=f"{url}/sim-{number}/v1/models" + (f"?page_size={_PAGE}" if is_paged else ""),
        list_dialect=shape,
        list_items_path="models" if is_paged else "data",
        id_field="name" if is_paged else "id",
    )
    return provider


def _refreshed(provider: Provider | None) -> float:
    """Seconds, from the claim to the result."""
    from catalog.models import Refresh  # noqa: PLC0415
    from catalog.services import queue_refresh  # noqa: PLC0415
    from catalog.tasks import run as run_refresh  # noqa: PLC0415

    row = queue_refresh(provider)
    began = time.perf_counter()
    run_refresh(row.pk)
    took_s = time.perf_counter() - began
    failed = Refresh.objects.get(pk=row.pk).results.filter(is_ok=False)
    if failed:
        raise RuntimeError(f"a list was not renewed: {failed[0].detail}")
    return took_s


async def _fetched(providers: list[Provider]) -> list[ReadList]:
    from asgiref.sync import sync_to_async  # noqa: PLC0415

    from catalog.engine import engine  # noqa: PLC0415
    from catalog.fetch import fetch_list  # noqa: PLC0415
    from catalog.lists import list_calls  # noqa: PLC0415

    calls = await sync_to_async(list_calls)(providers)
    async with engine() as gateway:
        return list(await asyncio.gather(*(fetch_list(gateway, call) for call in calls)))


def _applied(providers: list[Provider], lists: list[ReadList]) -> tuple[float, float]:
    """Seconds by the clock, and of the processor."""
    from catalog.apply import apply_list  # noqa: PLC0415
    from catalog.models import Refresh, RefreshState  # noqa: PLC0415

    row = Refresh.objects.create(state=RefreshState.DONE)
    began, cpu_began = time.perf_counter(), time.thread_time()
    for provider, found in zip(providers, lists, strict=True):
        apply_list(row, provider, found, 0.0)
    return time.perf_counter() - began, time.thread_time() - cpu_began


def _offers() -> int:
    from catalog.models import Offer  # noqa: PLC0415

    return Offer.objects.count()


def _forget() -> None:
    from catalog.models import Change, Model, Offer  # noqa: PLC0415

    for table in (Change, Offer, Model):
        table.objects.all().delete()


@contextmanager
def _peak_memory() -> Iterator[dict[str, float]]:
    """Megabytes above what the process held before, looked at a hundred times a second."""
    found: dict[str, Any] = {"mb": 0.0}
    idle, is_over = _resident_mb(), threading.Event()

    def watch() -> None:
        while not is_over.wait(0.01):
            found["mb"] = max(found["mb"], _resident_mb() - idle)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        is_over.set()
        watcher.join()


def _resident_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(one for one in status.splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    _refresh_and_tell(sys.argv[1], int(sys.argv[2]))
