"""Ids to names, families and sizes."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from catalog.mapping import ModelFacts, OfferFacts, bundled
from catalog.naming import MAX_NAME, model_slug, parse, sizes

ENTRIES = [(model, offer) for model in bundled().models for offer in model.offers]

# Shares of the mapping's entries where parsing the id alone agrees with it. Floors: what parsing
# reaches today; the rest are names that the id does not hold (devstral-latest, big-pickle).
FAMILY_FLOOR = 0.98
NAME_FLOOR = 0.90


@pytest.mark.parametrize(
    ("external_id", "total", "active"),
    [
        ("meta-llama/llama-3.2-1b-instruct:free", 1.0, None),
        ("meta/llama-3.2-11b-vision-instruct", 11.0, None),
        ("meta-llama/llama-4-scout-17b-16e-instruct", 109.0, 17.0),
        ("Llama-4-Maverick-17B-128E-Instruct-FP8", 400.0, 17.0),
        ("acme/wide-12b-64e", None, 12.0),
        ("mixtral-8x7b-32768", 46.7, 12.9),
        ("mixtral-8x22b-instruct", 141.0, 39.0),
        ("acme/mix-4x3b", 12.0, None),
        ("qwen3-30b-a3b", 30.0, 3.0),
        ("qwen3-235b-a22b-instruct-2507", 235.0, 22.0),
        ("acme/foo-100b-a3.7b", 100.0, 3.7),
        ("@cf/qwen/qwen1.5-0.5b-chat", 0.5, None),
        ("Qwen/Qwen3-1.7B", 1.7, None),
        ("llama-prompt-guard-2-22m", 0.022, None),
        ("gemma-3-270m-it", 0.27, None),
        ("inclusionai/ling-1t", 1000.0, None),
        ("command-r7b-12-2024", 7.0, None),
        ("bigscience/bloomz-7b1", 7.1, None),
        ("stablelm-2-1_6b", 1.6, None),
        ("llama3.2:3b", 3.0, None),
        ("gpt-oss:120b-cloud", 120.0, None),
        ("accounts/fireworks/models/llama-v3p1-8b-instruct", 8.0, None),
        # Not sizes: versions, dates, contexts, effective sizes, a lone active count.
        ("deepseek-v3-0324", None, None),
        ("gemma-3n-e4b-it", None, None),
        ("phi-3-mini-128k-instruct", None, None),
        ("qwen2.5-7b-instruct-1m", 7.0, None),
        ("acme/long-1m", None, None),
        ("moonshotai/kimi-vl-a3b-thinking", None, 3.0),
        ("mistral-small-2503", None, None),
        ("openai/gpt-4o-mini", None, None),
        ("llama-3.3-nemotron-super-49b-v1_5", 49.0, None),
        ("acme/20260731b", None, None),
    ],
)
def test_sizes_are_read_where_they_stand(
    external_id: str, total: float | None, active: float | None
) -> None:
    """Total and active billions; what is not said stays unknown."""
    assert sizes(external_id) == (total, active)


@pytest.mark.parametrize(
    ("external_id", "name", "family", "modality"),
    [
        ("@cf/meta/llama-3.3-70b-instruct-fp8-fast", "Llama 3.3 70B Instruct", "llama", "chat"),
        ("Meta-Llama-3.3-70B-Instruct", "Llama 3.3 70B Instruct", "llama", "chat"),
        ("google/gemma-3-27b-it:free", "Gemma 3 27B Instruct", "gemma", "vision"),
        ("accounts/fireworks/models/qwen3-235b-a22b", "Qwen3 235B A22B", "qwen", "chat"),
        ("deepseek-r1-distill-llama-70b", "DeepSeek R1 Distill Llama 70B", "deepseek", "chat"),
        ("openai/gpt-oss-120b", "GPT-OSS 120B", "gpt-oss", "chat"),
        ("meta/llama-3.3-70b-instruct-maas", "Llama 3.3 70B Instruct", "llama", "chat"),
        ("hf.co/acme/Wren-3B-GGUF:Q4_K_M", "Wren 3B", "wren", "chat"),
        ("llama3.1:8b-instruct-q4_K_M", "Llama 3.1 8B Instruct", "llama", "chat"),
        ("mlx-community/Qwen3-8B-4bit", "Qwen3 8B", "qwen", "chat"),
        ("models/wren-3b.Q8_0.gguf", "Wren 3B", "wren", "chat"),
        ("qwen/qwen3-vl-30b-a3b-thinking", "Qwen3 VL 30B A3B Thinking", "qwen", "vision"),
        ("whisper-large-v3-turbo", "Whisper Large v3 Turbo", "whisper", "stt"),
        ("stabilityai/stable-diffusion-3.5-large", "Stable Diffusion 3.5 Large", "", "image"),
        ("big-pickle", "Big Pickle", "", "chat"),
        ("sparrow-8b", "Sparrow 8B", "sparrow", "chat"),
    ],
)
def test_ids_become_what_people_say(
    external_id: str, name: str, family: str, modality: str
) -> None:
    """Makers, routes, servings and precisions are no part of a name."""
    naming = parse(external_id)

    assert (naming.name, naming.family, naming.modality) == (name, family, modality)


@pytest.mark.parametrize(
    ("external_id", "specialties"),
    [
        ("qwen/qwen3-coder-480b-a35b-instruct", {"code"}),
        ("deepseek-r1", {"reasoning"}),
        ("deepseek-math-7b-instruct", {"math"}),
        ("riva-translate-4b-instruct", {"translation"}),
        ("pixtral-12b", {"vision"}),
        ("llama-3.1-8b-instruct", set()),
    ],
)
def test_specialties_follow_from_words(external_id: str, specialties: set[str]) -> None:
    """A word of the id, not a part of a word."""
    assert set(parse(external_id).specialties) == specialties


@pytest.mark.parametrize(
    "name",
    [
        "Llama 3.3 70B Instruct",
        "Meta-Llama-3.3-70B-Instruct",
        "llama 3.3 70b",
        "Llama 3.3 70B Instruct (FP8)",
        "Llama 3.3 70B (Speculative Decoding)",
        "meta-llama/llama-3.3-70b-instruct:free",
        "Meta-Llama-3_3-70B-Instruct",
    ],
)
def test_names_of_the_same_weights_have_one_slug(name: str) -> None:
    """Case, spacing, maker and serving make no other model."""
    assert model_slug(name) == "llama-3-3-70b"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Llama 3.1 405B Base", "Llama 3.1 405B Instruct"),
        ("Llama 3.2 1B", "Llama 3.2 11B"),
        ("Qwen3 235B A22B Instruct 2507", "Qwen3 235B A22B Thinking 2507"),
        ("Qwen3 235B A22B", "Qwen3 235B A22B Instruct 2507"),
        ("Whisper Large v3", "Whisper Large v3 Turbo"),
        ("GPT-5", "GPT-5 Chat"),
        ("Command R (08-2024)", "Command R+ (08-2024)"),
        ("DeepSeek V3", "DeepSeek V3.1"),
        ("Grok 4", "Grok 4 Fast"),
        ("🦙", "🐦"),
    ],
)
def test_names_of_other_weights_have_other_slugs(one: str, other: str) -> None:
    """Base, date, version, size and "Turbo" do."""
    assert model_slug(one) != model_slug(other)


def test_parsing_agrees_with_the_mapping_on_every_size_both_know() -> None:
    """No id of the 492 is read as a size it does not have."""
    wrong = {
        offer.id: (found, model.params_b)
        for model, offer in ENTRIES
        if (found := sizes(offer.id)[0]) is not None and found != model.params_b
    }
    assert wrong == {}


def test_parsing_reads_every_size_that_an_id_spells_out() -> None:
    """Where the mapping has a size and the id holds a number before "b", parsing finds one."""
    spelled = re.compile(r"(?i)(?:^|[-_/:x])\d+(?:\.\d+)?b(?![a-z0-9])")
    missed = [
        offer.id for _, offer in ENTRIES if spelled.search(offer.id) and not any(sizes(offer.id))
    ]
    assert missed == []


def test_parsing_agrees_with_the_mapping_on_families_and_names() -> None:
    """Measured over all entries; see the floors above."""
    family = share(lambda model, offer: parse(offer.id).family == model.family)
    name = share(lambda model, offer: model_slug(parse(offer.id).name) in slugs_of(model, offer))

    assert family >= FAMILY_FLOOR
    assert name >= NAME_FLOOR


def share(agrees: Callable[[ModelFacts, OfferFacts], bool]) -> float:
    return sum(agrees(model, offer) for model, offer in ENTRIES) / len(ENTRIES)


def slugs_of(model: ModelFacts, offer: OfferFacts) -> set[str]:
    return {model.slug, model_slug(offer.name or model.name)}


@given(st.text(max_size=300) | st.from_regex(r"[a-z0-9/:@._-]{0,80}", fullmatch=True))
@example("9" * 5000 + "b")
@example("²b-٣b-1b")
@example("8x" + "7" * 400 + "b")
def test_no_text_breaks_the_parser(text: str) -> None:
    """Any id gives a name that can be stored, a slug, and sizes above zero or none."""
    naming = parse(text)

    assert naming.name
    assert len(naming.name) <= MAX_NAME
    assert naming.name.isprintable()
    assert re.fullmatch(r"[a-z0-9-]+", model_slug(naming.name))
    assert all(size is None or size > 0 for size in (naming.params_b, naming.active_params_b))


@given(st.sampled_from([model.name for model in bundled().models]))
def test_a_slug_is_stable(name: str) -> None:
    """Writing a name otherwise changes nothing."""
    assert model_slug(name.upper()) == model_slug(name)
    assert model_slug(name.replace(" ", "-")) == model_slug(name)
    assert model_slug(f"{name} (free)") == model_slug(name)
