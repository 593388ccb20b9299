"""Fills an empty database: python -m benchmarks.monitoring_world OFFERS CALLS.

Wants the environment of a product of its own. The calls are spread over 90 days, most of them
lately, and are kept as the recorder keeps them. Prints, as JSON, the session of somebody who is
signed in and the id of a call.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator

import django

from benchmarks.catalog_world import fill, signed_in
from gateway.events import CallEvent
from gateway.types import Attempt, Outcome, new_call_id

DAYS = 90
USERS = 20
CHUNK = 20_000  # in one transaction
_OUTCOMES = (*[Outcome.ANSWERED] * 18, Outcome.TIMEOUT, Outcome.RATE_LIMITED)


def main() -> None:
    django.setup()
    from django.core.management import call_command  # noqa: PLC0415 - once Django is set up

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    fill(int(sys.argv[1]))
    call_id = _keep(int(sys.argv[2]))
    print(json.dumps({"session": signed_in(), "call_id": call_id}))


def _keep(calls: int) -> str:
    from catalog.models import Offer  # noqa: PLC0415 - once Django is set up
    from monitoring.keeping import keep  # noqa: PLC0415 - as above
    from monitoring.records import record_of  # noqa: PLC0415 - as above

    offers = list(Offer.objects.values_list("provider__slug", "external_id"))
    told = events(offers, calls, spread_s=DAYS * 86_400)
    last = ""
    while chunk := [record_of(event) for _, event in zip(range(CHUNK), told, strict=False)]:
        keep(chunk)
        last = chunk[-1].call_id
    return last


def events(
    offers: list[tuple[str, str]], calls: int, *, spread_s: float = 0.0
) -> Iterator[CallEvent]:
    """Oldest first, the last one now; half of them in the last tenth of the time."""
    dice, now_s = random.Random(1), time.time()  # noqa: S311 - no secret
    ages_s = sorted((spread_s * dice.random() ** 3.3 for _ in range(calls)), reverse=True)
    for age_s in ages_s:
        provider, model = dice.choice(offers)
        outcome, took_s = dice.choice(_OUTCOMES), dice.lognormvariate(0.5, 0.8)
        first_s = took_s * 0.2 if outcome is Outcome.ANSWERED else None
        yield CallEvent(
            call_id=new_call_id(),
            at=now_s - age_s,
            source="benchmark",
            owner=f"user:{dice.randrange(USERS)}",
            outcome=outcome,
            provider=provider,
            model=model,
            key_id="k1",
            cached="redis" if dice.random() < 0.2 and first_s else "",  # noqa: PLR2004 - a fifth
            is_streamed=True,
            duration_s=took_s,
            first_token_s=first_s,
            prompt_tokens=dice.randrange(2_000),
            completion_tokens=dice.randrange(800),
            is_usage_estimated=False,
            attempts=(
                Attempt(provider, model, f"{model} on {provider}", outcome, duration_s=took_s),
            ),
        )


if __name__ == "__main__":
    main()
