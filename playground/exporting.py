"""A conversation as a file: Markdown to read, JSON to work with."""

from __future__ import annotations

from typing import Any

from playground.models import Conversation, Run

_FACTS = (
    "prompt", "system", "task", "complexity", "parameters", "state", "answer", "reasoning",
    "tool_calls", "error", "label",
    "provider", "model", "call_id", "cached", "finish_reason", "first_token_s", "duration_s",
    "tokens_per_s", "prompt_tokens", "completion_tokens", "is_usage_estimated", "trail", "pick",
)  # fmt: skip


def as_markdown(conversation: Conversation) -> str:
    runs = Run.objects.for_conversation(conversation)
    return "\n\n".join([f"# {conversation.title}", *(_turn(run) for run in runs)]) + "\n"


def _turn(run: Run) -> str:
    parts = []
    if run.retry_of_id is None:
        parts.append("## Prompt")
        if run.system:
            parts.append(f"*System prompt:* {run.system}")
        parts.append(run.prompt)
    parts.append(f"## Answer of {run.label}" if run.label else "## No answer")
    if run.answer:
        parts.append(run.answer)
    parts += [f"Calls `{one['name']}` with `{one['arguments']}`" for one in run.tool_calls]
    if run.error:
        parts.append(f"*{run.error}*")
    return "\n\n".join(parts)


def as_json(conversation: Conversation) -> dict[str, Any]:
    return {
        "title": conversation.title,
        "created_at": conversation.created_at.isoformat(),
        "runs": [
            {
                "id": run.pk,
                "retry_of": run.retry_of_id,
                "created_at": run.created_at.isoformat(),
                **{name: getattr(run, name) for name in _FACTS},
            }
            for run in Run.objects.for_conversation(conversation)
        ],
    }
