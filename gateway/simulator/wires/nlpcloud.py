"""NLP Cloud's dialect: POST <base>/ID/chatbot, answered whole."""

from __future__ import annotations

from typing import Any

from gateway.simulator.asking import Answer, Ask, BadAskError
from gateway.simulator.wires.fields import read_object

_ACTION = "/chatbot"


class NLPCloudWire:
    content_type = "application/json"

    def hint(self, path: str) -> str | None:
        return path.removesuffix(_ACTION) if path.endswith(_ACTION) else None

    def read(self, body: bytes, hint: str) -> Ask:
        values = read_object(body)
        said: list[tuple[str, str]] = []
        if context := _text(values, "context"):
            said.append(("system", context))
        for one in _history(values):
            said += [("user", _text(one, "input")), ("assistant", _text(one, "response"))]
        question = _text(values, "input")
        if not question:
            raise BadAskError("input is required", "input")
        return Ask(model=hint, messages=(*said, ("user", question)))

    def whole(self, answer: Answer) -> dict[str, Any]:
        return {"response": answer.text, "history": []}


def _text(values: dict[str, Any], name: str) -> str:
    value = values.get(name)
    if value is not None and not isinstance(value, str):
        raise BadAskError(f"'{name}' must be a text", name)
    return value or ""


def _history(values: dict[str, Any]) -> list[dict[str, Any]]:
    history = values.get("history") or []
    if not isinstance(history, list) or not all(isinstance(one, dict) for one in history):
        raise BadAskError("'history' must be a list of exchanges", "history")
    return history
