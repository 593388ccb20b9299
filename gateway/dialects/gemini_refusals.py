"""Which quota, which reason, how long: Google says so in typed details of its errors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.dialects.reading import child, word
from gateway.limiter.headers import parse_number, parse_wait
from gateway.types import SaidLimit, Unit, Window

# "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "...InputTokensPerModelPerMinute..."
_WINDOW = re.compile(r"Per(Second|Minute|Hour|Day|Month)")
_LONG = (Window.DAY, Window.MONTH)

Details = tuple[tuple[str, ...], float | None, tuple[SaidLimit, ...]]


def read_details(body: bytes) -> Details:
    """Codes in the words of `refusals`, the wait in seconds, and the limits named."""
    try:
        error = child(json.loads(body), "error")
    except (ValueError, RecursionError):
        return (), None, ()
    details = error.get("details")
    found = [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []
    said = tuple(_limits(found))
    waits = [parse_wait(word(one.get("retryDelay")), "duration") for one in found]
    return tuple(_codes(found, said)), next((w for w in waits if w is not None), None), said


def _codes(details: Iterable[Mapping[str, Any]], said: Iterable[SaidLimit]) -> Iterable[str]:
    if any(one.get("reason") == "API_KEY_INVALID" for one in details):
        yield "invalid_api_key"
    if any(one.window in _LONG for one in said):
        yield "insufficient_quota"


def _limits(details: Iterable[Mapping[str, Any]]) -> Iterable[SaidLimit]:
    for detail in details:
        violations = detail.get("violations")
        for one in violations if isinstance(violations, list) else ():
            if isinstance(one, dict) and (window := _WINDOW.search(word(one.get("quotaId")))):
                unit = Unit.TOKENS if "Token" in one["quotaId"] else Unit.REQUESTS
                # Of tokens some may be left, only not as many as the request wanted.
                left = 0 if unit is Unit.REQUESTS else None
                yield SaidLimit(unit, Window(window[1].lower()), _amount(one), left)


def _amount(violation: Mapping[str, Any]) -> int | None:
    number = parse_number(word(violation.get("quotaValue")))
    return None if number is None else int(number)
