"""Fills an empty database with many offers: python -m benchmarks.catalog_world OFFERS.

Wants the environment of a product of its own. Prints, as JSON, the session of somebody who is
signed in, and how long counting each facet's value by a query of its own takes.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from typing import Any

import django

PROVIDERS = 40
OFFERS_PER_MODEL = 3
_BIRDS = ("Heron", "Wren", "Sparrow", "Kestrel", "Ibis", "Curlew", "Plover", "Osprey")
_GOOD_FOR = ("code", "reasoning", "tool-use", "vision", "multilingual", "math")
_SIZES = (1.0, 3.0, 8.0, 14.0, 32.0, 70.0, 120.0, 405.0, None)
_CONTEXTS = (8_192, 32_768, 131_072, 262_144, 1_048_576, None)


def main() -> None:
    django.setup()
    from django.core.management import call_command  # noqa: PLC0415 - once Django is set up

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    fill(int(sys.argv[1]))
    print(json.dumps({"session": signed_in(), "sql_ms": _counted_in_sql_ms()}))


def fill(offers: int) -> None:
    from catalog.models import Model, Offer, Provider  # noqa: PLC0415 - once Django is set up

    dice = random.Random(1)  # noqa: S311 - no secret
    providers = Provider.objects.bulk_create(
        Provider(
            slug=f"p-{n}",
            name=f"Provider {n}",
            tier=dice.choice(("free", "free", "trial")),
            auth="none" if n % 2 else "bearer",
            base_url=f"https://p-{n}.example/v1",
            training=dice.choice(("", "used")),
            limits={"rpm": 30, "rpd": 1_000, "tpm": 60_000},
            quota_scope=dice.choice(("per-model", "account")),
        )
        for n in range(PROVIDERS)
    )
    count = offers // OFFERS_PER_MODEL
    models = Model.objects.bulk_create(Model(**_model(dice, n)) for n in range(count))
    Offer.objects.bulk_create(
        (
            Offer(
                provider=providers[n % PROVIDERS],
                model=(model := models[n % len(models)]),
                external_id=f"acme/{model.slug}-{n}",
                context_tokens=dice.choice(_CONTEXTS),
                max_output_tokens=dice.choice((4_096, 16_384, None)),
            )
            for n in range(offers)
        ),
        batch_size=500,
    )


def _model(dice: random.Random, number: int) -> dict[str, Any]:
    bird, size = dice.choice(_BIRDS), dice.choice(_SIZES)
    told = f"{size:g}B" if size else "Large"
    return {
        "slug": f"{bird}-{told}-{number}".lower(),
        "name": f"{bird} {told} v{number}",
        "family": bird.lower(),
        "params_b": size,
        "specialties": sorted(dice.sample(_GOOD_FOR, k=dice.randrange(4))),
    }


def signed_in() -> str:
    from django.contrib.auth import get_user_model  # noqa: PLC0415 - once Django is set up
    from django.test import Client  # noqa: PLC0415 - as above

    client = Client()
    client.force_login(get_user_model().objects.create(username="reader", role="operator"))
    return str(client.cookies["sessionid"].value)


def _counted_in_sql_ms() -> float:
    """What the usual way costs: for every value of a few facets one query that counts models."""
    from catalog.models import Offer  # noqa: PLC0415 - once Django is set up

    facets: dict[str, list[Any]] = {
        "provider__slug": [f"p-{n}" for n in range(PROVIDERS)],
        "provider__tier": ["free", "trial", "local"],
        "model__family": [bird.lower() for bird in _BIRDS],
        "model__params_b__lt": [4, 10, 40, 150],
        "context_tokens__gte": [32_000, 128_000, 200_000, 1_000_000],
    }
    took_ms = []
    for _ in range(3):
        began = time.perf_counter()
        for name, values in facets.items():
            for value in values:
                Offer.objects.listed().filter(**{name: value}).values("model").distinct().count()
        took_ms.append((time.perf_counter() - began) * 1_000)
    return statistics.median(took_ms)


if __name__ == "__main__":
    main()
