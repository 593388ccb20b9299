"""Error bodies in all the shapes seen in the field: what they say, before it is judged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.dialects.said import limits_said, wait_said
from gateway.limiter.headers import parse_wait
from gateway.types import SaidLimit

_SHOWN_CHARS = 300
_READ_CHARS = 2000

# OpenRouter names the host behind a model whose refusal it passes on: no quota of ours.
UPSTREAM = "upstream"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an error body says. `codes` are its code and type words, most telling first."""

    message: str
    codes: tuple[str, ...] = ()
    wait_s: float | None = None
    said: tuple[SaidLimit, ...] = ()


def is_error(payload: Mapping[str, Any]) -> bool:
    """Whether what came with a success is an error in one of the known shapes."""
    if payload.get("choices"):
        return False
    if any(payload.get(name) for name in ("error", "errors", "detail")):
        return True
    return isinstance(payload.get("message"), str)


def read_refusal(body: bytes, now: float | None = None) -> Refusal:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return Refusal(_plain_words(body))
    if isinstance(payload, dict):
        return refusal_of(payload, now)
    return Refusal(shown(payload) if isinstance(payload, str) else "")


def refusal_of(payload: Mapping[str, Any], now: float | None) -> Refusal:
    """The known shapes: {error: {...}}, {error: "..."}, flat, {detail}, {errors: [...]}."""
    inner = payload.get("error") or payload.get("errors") or payload.get("detail")
    if isinstance(inner, list):
        inner = inner[0] if inner else None
    if isinstance(inner, str):
        return _refusal(inner, payload, payload, now)
    fields = inner if isinstance(inner, dict) else payload
    message = fields.get("message") or fields.get("msg") or payload.get("title") or ""
    return _refusal(_words(message), fields, payload, now)


def _words(message: Any) -> str:
    """A sentence; Mistral has a list of complaints in its place, each with the field it means."""
    if isinstance(message, str):
        return message
    complaints = message.get("detail") if isinstance(message, dict) else None
    first = complaints[0] if isinstance(complaints, list) and complaints else None
    if not isinstance(first, dict):
        return ""
    place = first.get("loc")
    where = ".".join(map(str, place)) if isinstance(place, list) else ""
    return f"{where}: {first.get('msg', '')}".removeprefix(": ")


def _refusal(
    message: str, fields: Mapping[str, Any], payload: Mapping[str, Any], now: float | None
) -> Refusal:
    wait_s = _wait(fields, payload, now)
    return Refusal(
        shown(message),
        _codes(fields),
        wait_said(message[:_READ_CHARS]) if wait_s is None else wait_s,
        limits_said(message[:_READ_CHARS], fields),
    )


def _codes(fields: Mapping[str, Any]) -> tuple[str, ...]:
    metadata = fields.get("metadata")
    is_upstreams = isinstance(metadata, dict) and bool(metadata.get("provider_name"))
    words = (fields.get("code"), fields.get("type"), UPSTREAM if is_upstreams else None)
    return tuple(str(word) for word in words if isinstance(word, str | int) and word != "error")


def _wait(fields: Mapping[str, Any], payload: Mapping[str, Any], now: float | None) -> float | None:
    """LLM7 repeats the wait in the body, OpenRouter its reset header."""
    said = payload.get("retry_after", fields.get("retry_after"))
    if said is not None:
        return parse_wait(str(said), "seconds", now)
    metadata = fields.get("metadata")
    headers = metadata.get("headers") if isinstance(metadata, dict) else None
    reset = headers.get("X-RateLimit-Reset") if isinstance(headers, dict) else None
    return None if reset is None else parse_wait(str(reset), "epoch-ms", now)


def _plain_words(body: bytes) -> str:
    text = body[:_READ_CHARS].decode(errors="replace").strip()
    return "" if text.startswith("<") else shown(text)


def shown(text: str) -> str:
    """One short line, fit to be shown to a person."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[:_READ_CHARS]).split())
    return line if len(line) <= _SHOWN_CHARS else line[: _SHOWN_CHARS - 1] + "…"
