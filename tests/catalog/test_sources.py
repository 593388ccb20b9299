"""Each shape of list, translated from a sample that holds entries to be left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.diff import modality_of
from catalog.mapping import bundled
from catalog.models import CHAT_MODALITIES
from catalog.sources.listed import BadList, ListedModel
from catalog.sources.registry import is_known, translate

LISTS = Path(__file__).parent / "lists"
SHAPES = [
    *("baseten", "fireworks", "groq", "hf-router", "hyperbolic", "llm7", "mistral", "novita"),
    *("openai", "openrouter", "sambanova", "vercel-gateway"),
]

# For each provider's sample: what may become an offer, with context and longest answer.
OFFERED = {
    "baseten": [("openai/gpt-oss-120b", 128_072, 128_072)],
    "fireworks": [
        ("accounts/fireworks/models/gpt-oss-120b", 131_072, None),
        ("accounts/fireworks/models/sparrow-vl-24b", 131_072, None),
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


def sample(slug: str) -> list[ListedModel]:
    """A provider's sample, read by the shape and the rule that the mapping gives it."""
    facts = next(one for one in bundled().providers if one.slug == slug)
    return translate(
        facts.list_dialect,
        json.loads((LISTS / f"{slug}.json").read_text()),
        items_path=facts.list_items_path,
        id_field=facts.id_field,
        select=facts.list_select,
    )


@pytest.mark.parametrize("slug", OFFERED)
def test_only_free_chat_models_become_offers(slug: str) -> None:
    """Paid, switched-off, deprecated and other models of the sample are not offered."""
    offered = [
        (one.external_id, one.context_tokens, one.max_output_tokens)
        for one in sample(slug)
        if one.is_wanted and modality_of(one) in CHAT_MODALITIES
    ]

    assert offered == OFFERED[slug]


def test_a_second_id_of_one_model_keeps_a_known_offer_alive() -> None:
    """Mistral's dated alias is listed, so that who calls it is not told that it vanished."""
    ids = {one.external_id: one.is_wanted for one in sample("mistral")}

    assert ids["mistral-small-2603"] is False
    assert "mistral-old-2407" not in ids


def test_a_speech_model_stays_listed_as_what_it_is() -> None:
    """Groq's Whisper is no chat model, but it is there."""
    whisper = next(one for one in sample("groq") if "whisper" in one.external_id)

    assert modality_of(whisper) == "stt"


def test_what_a_list_tells_beyond_ids_is_kept() -> None:
    """Names without maker and mark, images, tools and reasoning."""
    openrouter, vercel = sample("openrouter")[0], sample("vercel-ai-gateway")[1]

    assert (openrouter.name, openrouter.modality) == ("Sparrow 24B Instruct", "vision")
    assert openrouter.specialties == ("tool-use",)
    assert (vercel.name, vercel.modality) == ("Sparrow 24B", "vision")
    assert sample("huggingface")[0].modality == "vision"
    assert sample("baseten")[0].specialties == ("tool-use", "reasoning")


def test_every_shape_the_mapping_names_is_known_or_listed_as_open() -> None:
    """A slip of the pen in the mapping would silently stop a provider's refresh."""
    open_shapes = {"none", "cohere", "gemini", "github-catalog", "cloudflare-search", "chutes"}
    named = {one.list_dialect for one in bundled().providers}

    unknown = {shape for shape in named if not is_known(shape)}
    assert unknown <= open_shapes | {"ollama-tags"}


def test_a_bare_array_is_a_list_as_well() -> None:
    """LLM7 has answered in both ways."""
    listed = translate("openai", [{"id": "wren-8b"}])

    assert [one.external_id for one in listed] == ["wren-8b"]


def test_an_absurdly_long_list_is_refused() -> None:
    """Nobody offers twenty thousand models."""
    with pytest.raises(BadList, match="20,001 entries"):
        translate("openai", {"data": [{"id": "a"}] * 20_001})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = [
    *("id", "name", "active", "pricing", "architecture", "providers", "capabilities", "aliases"),
    *("context_length", "context_window", "type", "tags", "status", "model_type", "modalities"),
    *("output_modalities", "supported_parameters", "top_provider", "features", "supports_chat"),
]


@given(
    shape=st.sampled_from(SHAPES),
    payload=st.fixed_dictionaries(
        {"data": st.lists(st.dictionaries(st.sampled_from(FIELDS), json_values), max_size=4)}
    )
    | json_values,
)
def test_no_json_at_all_breaks_a_shape(shape: str, payload: Any) -> None:
    """Whatever comes back is translated or refused with a sentence."""
    try:
        listed = translate(shape, payload)
    except BadList:
        return
    assert all(one.external_id.isprintable() for one in listed)
