"""Requests to a simulated provider, and reading its streams."""

from __future__ import annotations

import json
from typing import Any

import httpx

from gateway.simulator.runtime import Clock


class ManualClock(Clock):
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now_s = 0.0
        super().__init__(lambda: self.now_s)


def asking(prompt: str = "ping", **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}]
    return {"model": "wren-8b", "messages": messages, **fields}


async def ask(
    client: httpx.AsyncClient, prompt: str = "ping", slug: str = "sim-wren", **fields: Any
) -> httpx.Response:
    return await client.post(f"/{slug}/v1/chat/completions", json=asking(prompt, **fields))


async def state(client: httpx.AsyncClient, slug: str = "sim-wren") -> dict[str, Any]:
    answer = await client.get("/_sim/state")
    described: dict[str, Any] = answer.json()["providers"][slug]
    return described


def events(text: str) -> list[dict[str, Any]]:
    """The JSON of each data line but [DONE]."""
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data:")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def streamed_text(text: str) -> str:
    choices = [one["choices"][0] for one in events(text) if one["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)
