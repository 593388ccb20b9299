"""Tells of calls at a steady rate: python -m benchmarks.event_sender REDIS_URL PER_SECOND SECONDS.

A process of its own, so that its work is nobody's latency. Makes all events first and says "ready";
a line on its input starts it, and it says how long it took.
"""

from __future__ import annotations

import sys
import time

from redis import Redis

from benchmarks.monitoring_world import events
from gateway.keys import EVENT_STREAM, EVENT_STREAM_LENGTH

PROVIDERS, MODELS = 25, 200
EVERY_S = 0.05


def main() -> None:
    url, per_second, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    offers = [(f"p-{number % PROVIDERS}", f"m-{number}") for number in range(MODELS)]
    told = [event.to_json() for event in events(offers, per_second * seconds)]
    lot = int(per_second * EVERY_S)
    lots = [told[first : first + lot] for first in range(0, len(told), lot)]
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    with Redis.from_url(url) as redis:
        for number, one in enumerate(lots):
            time.sleep(max(0.0, began + number * EVERY_S - time.monotonic()))
            pipe = redis.pipeline(transaction=False)
            for event in one:
                pipe.xadd(EVENT_STREAM, {"event": event}, maxlen=EVENT_STREAM_LENGTH)
            pipe.execute()
    print(time.monotonic() - began, flush=True)


if __name__ == "__main__":
    main()
