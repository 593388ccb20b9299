"""Reading a chat request's JSON; complaints are what a provider would answer."""

from __future__ import annotations

import json
from typing import Any

from gateway.simulator.asking import BadAskError
from gateway.simulator.tooling import Form


def read_object(body: bytes) -> dict[str, Any]:
    try:
        values = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadAskError("the request body is not valid JSON") from error
    if not isinstance(values, dict):
        raise BadAskError("the request body must be a JSON object")
    return values


def section(values: dict[str, Any], name: str) -> dict[str, Any]:
    """An object inside the request; empty where it is absent."""
    value = values.get(name)
    if value is not None and not isinstance(value, dict):
        raise BadAskError(f"'{name}' must be an object", name)
    return value or {}


def optional_int(values: dict[str, Any], name: str, *, least: int) -> int | None:
    value = values.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BadAskError(f"'{name}' must be a whole number of at least {least}", name)
    return value


def optional_number(
    values: dict[str, Any], name: str, *, least: float, most: float
) -> float | None:
    value = values.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise BadAskError(f"'{name}' must be a number from {least:g} to {most:g}", name)
    return float(value)


def stop_texts(values: dict[str, Any], name: str, most: int) -> tuple[str, ...]:
    value = values.get(name)
    if value is None:
        return ()
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(one, str) and one for one in texts):
        raise BadAskError(f"'{name}' must be a text or a list of texts", name)
    if len(texts) > most:
        raise BadAskError(f"'{name}' may hold at most {most} texts", name)
    return tuple(texts)


def flag(values: dict[str, Any], name: str) -> bool:
    value = values.get(name)
    if value is not None and not isinstance(value, bool):
        raise BadAskError(f"'{name}' must be true or false", name)
    return bool(value)


def tool_forms(values: dict[str, Any]) -> list[Form]:
    """The declared tools in OpenAI's words, which are Cohere's too."""
    tools = values.get("tools") or []
    if not isinstance(tools, list) or not all(isinstance(one, dict) for one in tools):
        raise BadAskError("'tools' must be a list of tools", "tools")
    functions = [section(one, "function") for one in tools]
    if not all(isinstance(one.get("name"), str) for one in functions):
        raise BadAskError("every tool must be a function with a name", "tools")
    return [Form.of(one["name"], one.get("parameters")) for one in functions]


def message_content(message: dict[str, Any], where: str) -> tuple[str, bool]:
    """As `read_content`; an assistant that called tools need not have said anything."""
    content = message.get("content")
    return read_content("" if content is None and message.get("tool_calls") else content, where)


def read_content(content: object, where: str) -> tuple[str, bool]:
    """A message's text, given as such or in parts, and whether an image is among the parts."""
    if isinstance(content, str):
        return content, False
    if not isinstance(content, list) or not all(isinstance(one, dict) for one in content):
        raise BadAskError(f"'{where}' must be a text or a list of parts", where)
    texts = [one.get("text", "") for one in content if one.get("type") == "text"]
    if not all(isinstance(one, str) for one in texts):
        raise BadAskError(f"'{where}' has a text part without text", where)
    return "\n".join(texts), any(one.get("type") == "image_url" for one in content)
