"""The carried lists: one sample per provider whose list has a shape of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from catalog.mapping import ProviderFacts, bundled
from catalog.sources.listed import ListedModel
from catalog.sources.registry import ReadList, read_list

LISTS = Path(__file__).parent / "lists"

# For each provider's sample: what may become an offer, with context and longest answer.
OFFERED: dict[str, list[tuple[str, int | None, int | None]]] = {
    "baseten": [("openai/gpt-oss-120b", 128_072, 128_072)],
    "chutes": [("acme/Sparrow-24B-Instruct", 131_072, 16_384)],
    "cloudflare": [
        ("@cf/openai/gpt-oss-120b", 128_000, None),
        ("@cf/zai-org/glm-4.7-flash", 131_072, None),
    ],
    "cohere": [("command-a-03-2025", 288_000, None), ("command-r7b-12-2024", 132_000, None)],
    "fireworks": [
        ("accounts/fireworks/models/gpt-oss-120b", 131_072, None),
        ("accounts/fireworks/models/sparrow-vl-24b", 131_072, None),
    ],
    "github-models": [
        ("openai/gpt-4.1-mini", 1_048_576, 32_768),
        ("microsoft/phi-4", 16_384, 16_384),
    ],
    "google-ai-studio": [
        ("gemini-3.5-flash", 1_048_576, 65_536),
        ("gemma-3-12b-it", 32_768, 8192),
    ],
    "groq": [("openai/gpt-oss-120b", 131_072, 65_536), ("qwen/qwen3.8-27b", 131_072, 32_768)],
    "huggingface": [
        ("acme/Sparrow-24B-Instruct", 131_072, None),
        ("acme/Wren-3B", 32_768, None),
    ],
    "hyperbolic": [
        ("meta-llama/Llama-3.3-70B-Instruct", 131_072, None),
        ("Qwen/Qwen3-Coder-480B-A35B-Instruct", 262_144, None),
    ],
    "llm7": [("codestral-latest", 32_000, None), ("gpt-oss-20b", 131_072, None)],
    "mistral": [("mistral-small-latest", 262_144, None)],
    "novita": [("acme/sparrow-24b", 131_072, 16_384), ("acme/wren-3b", 32_768, 8192)],
    "ollama": [("llama3.2:3b", None, None), ("qwen3:8b", None, None)],
    "opencode-zen": [("big-pickle", None, None), ("sparrow-flash-free", None, None)],
    "openrouter": [
        ("acme/sparrow-24b-instruct:free", 131_072, 16_384),
        ("qwen/qwen3-coder:free", 262_000, None),
    ],
    "sambanova": [
        ("Meta-Llama-3.3-70B-Instruct", 131_072, 3072),
        ("gpt-oss-120b", 131_072, 131_072),
    ],
    "vercel-ai-gateway": [
        ("openai/gpt-oss-20b", 131_072, 32_768),
        ("acme/sparrow-24b", 131_072, 16_384),
    ],
}


def facts_of(slug: str) -> ProviderFacts:
    return next(one for one in bundled().providers if one.slug == slug)


def read(facts: ProviderFacts, payload: Any) -> ReadList:
    """A list by the shape and the rule that the mapping gives its provider."""
    return read_list(
        facts.list_dialect,
        payload,
        items_path=facts.list_items_path,
        id_field=facts.id_field,
        select=facts.list_select,
    )


def sample(slug: str) -> list[ListedModel]:
    return read_sample(slug).listed


def read_sample(slug: str) -> ReadList:
    return read(facts_of(slug), json.loads((LISTS / f"{slug}.json").read_text()))
