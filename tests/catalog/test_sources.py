"""Each shape of list, translated from a sample that holds entries to be left out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.diff import modality_of
from catalog.mapping import bundled
from catalog.models import CHAT_MODALITIES
from catalog.sources import shapes
from catalog.sources.listed import BadList
from catalog.sources.registry import is_known, next_page, read_list
from tests.catalog.samples import LISTS, OFFERED, facts_of, read, read_sample, sample

SHAPES = sorted(
    path.stem.replace("_", "-")
    for path in Path(shapes.__path__[0]).glob("*.py")
    if path.stem != "__init__"
)

CLOUDFLARE = {
    "result": [
        {
            "name": name,
            "task": {"name": "Text Generation"},
            "properties": [{"property_id": "planned_deprecation_date", "value": day}],
        }
        for name, day in (("@cf/a", "9999-12-31"), ("@cf/b", "2020-01-01"), ("@cf/c", "soon"))
    ]
}


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


def test_every_shape_the_mapping_names_is_known() -> None:
    """A slip of the pen in the mapping would silently stop a provider's refresh."""
    named = {one.list_dialect for one in bundled().providers}

    assert {shape for shape in named if not is_known(shape)} == {"none"}


def test_every_shape_has_a_sample() -> None:
    """Each is met by the list of at least one provider that speaks it."""
    by_slug = {one.slug: one.list_dialect for one in bundled().providers}

    assert {by_slug[slug] for slug in OFFERED} == set(SHAPES)
    assert {path.stem for path in LISTS.glob("*.json")} == set(OFFERED)


def test_who_has_no_list_says_so_and_is_served_by_the_mapping() -> None:
    """Either an address in a known shape, or no shape and offers that are written down."""
    mapping = bundled()
    offering = {offer.provider for model in mapping.models for offer in model.offers}
    unlisted = {one.slug for one in mapping.providers if one.list_dialect == "none"}

    assert {one.slug for one in mapping.providers if not one.list_url} == unlisted
    assert unlisted - {"modal"} <= offering  # at Modal one deploys the model oneself


def test_a_model_near_its_end_is_offered_until_then() -> None:
    """Cloudflare names the day; a day to come, or none that can be read, takes nothing away."""
    listed = [one.external_id for one in read(facts_of("cloudflare"), CLOUDFLARE).listed]

    assert listed == ["@cf/a", "@cf/c"]


def test_what_is_no_chat_model_says_what_it_is() -> None:
    """It keeps a known offer alive under its own modality."""
    found = {one.external_id: modality_of(one) for slug in OFFERED for one in sample(slug)}

    assert found["@cf/baai/bge-m3"] == "embedding"
    assert found["embed-v4.0"] == "embedding"
    assert found["gemini-embedding-001"] == "embedding"
    assert found["nomic-embed-text:latest"] == "embedding"
    assert found["openai/gpt-4.1-mini"] == "vision"


def test_a_bare_array_is_a_list_as_well() -> None:
    """LLM7 has answered in both ways."""
    listed = read_list("openai", [{"id": "wren-8b"}]).listed

    assert [one.external_id for one in listed] == ["wren-8b"]


def test_an_absurdly_long_list_is_refused() -> None:
    """Nobody offers twenty thousand models."""
    with pytest.raises(BadList, match="20,001 entries"):
        read_list("openai", {"data": [{"id": "a"}] * 20_001})


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
    *("endpoints", "is_deprecated", "supportedGenerationMethods", "details", "properties", "task"),
    *("limits", "tier", "usage_based_only", "supported_output_modalities", "property_id"),
]
WRAPPERS = ["data", "result_info", "next_page_token", "nextPageToken", "page", "total_count"]


@given(
    shape=st.sampled_from(SHAPES),
    payload=st.fixed_dictionaries(
        {"data": st.lists(st.dictionaries(st.sampled_from(FIELDS), json_values), max_size=4)}
    )
    | st.dictionaries(st.sampled_from(WRAPPERS), json_values)
    | json_values,
)
def test_no_json_at_all_breaks_a_shape(shape: str, payload: Any) -> None:
    """Whatever comes back is translated or refused with a sentence."""
    try:
        following = next_page(shape, "https://wren.example/v1/models?a=b", payload)
        listed = read_list(shape, payload).listed
    except BadList:
        return
    assert not following or following.startswith("https://wren.example/v1/models?a=b&")
    assert all(one.external_id.isprintable() for one in listed)


def _spoiled(value: Any, nonsense: Mapping[int, Any], number: Iterator[int]) -> Any:
    """A copy in which the values of these numbers, counted in reading order, are nonsense."""
    here = next(number)
    if here in nonsense:
        return nonsense[here]
    if isinstance(value, dict):
        return {key: _spoiled(inner, nonsense, number) for key, inner in value.items()}
    if isinstance(value, list):
        return [_spoiled(inner, nonsense, number) for inner in value]
    return value


@given(
    slug=st.sampled_from(sorted(OFFERED)),
    nonsense=st.dictionaries(st.integers(0, 80), json_values, min_size=1, max_size=6),
)
def test_a_sample_with_nonsense_inside_is_read_or_refused(
    slug: str, nonsense: dict[int, Any]
) -> None:
    """Any value of a real list may be anything: nulls, numbers as text, lists for tables."""
    facts = facts_of(slug)
    payload = _spoiled(json.loads((LISTS / f"{slug}.json").read_text()), nonsense, count())
    try:
        listed = read(facts, payload).listed
        next_page(facts.list_dialect, "https://wren.example/models", payload)
    except BadList:
        return
    assert len({one.external_id.lower() for one in listed}) == len(listed)


@pytest.mark.parametrize("slug", OFFERED)
def test_a_list_as_it_should_be_has_nothing_odd(slug: str) -> None:
    """Zero for unknown, null, and fields nobody knows here are usual."""
    assert read_sample(slug).oddities == {}


@pytest.mark.parametrize("slug", OFFERED)
def test_odd_entries_are_counted_and_the_others_read(slug: str) -> None:
    """Whatever the shape: no table, no id, an id twice, in capitals the second time."""
    facts = facts_of(slug)
    payload = json.loads((LISTS / f"{slug}.json").read_text())
    entries = payload if isinstance(payload, list) else payload[facts.list_items_path]
    maker, slash, name = entries[0][facts.id_field].rpartition("/")
    again = {**entries[0], facts.id_field: f"{maker}{slash}{name.upper()}"}
    entries += [None, 7, "wren-8b", {}, {facts.id_field: None}, {facts.id_field: 8}, again]

    found = read(facts, payload)

    assert [one.external_id for one in found.listed] == [one.external_id for one in sample(slug)]
    assert {**found.oddities, "wrong_kind": 0} == {
        "not_a_model": 3,
        "no_id": 3,
        "twice": 1,
        "wrong_kind": 0,
    }


def test_lower_and_upper_case_of_one_id_are_one_model() -> None:
    """The first spelling holds; nulls, numbers as text and unknown fields do no harm."""
    entries = [
        {"id": "Wren-8B", "context_length": "8192", "unheard_of": {"x": [1]}},
        {"id": "wren-8b", "context_length": 4096.0},
        {"id": "wren-größe-3b", "context_length": None},
        {"id": "wren-2b", "context_length": ["?"], "max_output_tokens": -1},
    ]

    found = read_list("openai", {"data": entries})

    assert [(one.external_id, one.context_tokens) for one in found.listed] == [
        ("Wren-8B", 8192),
        ("wren-größe-3b", None),
        ("wren-2b", None),
    ]
    assert found.oddities == {"twice": 1, "wrong_kind": 2}


@pytest.mark.parametrize(
    ("price", "is_offered", "oddities"),
    [
        ("0", True, {}),
        (0, True, {}),
        ("0.000", True, {}),
        ("0.1", False, {}),
        (None, False, {}),
        ("nothing", False, {"wrong_kind": 1}),
        (True, False, {"wrong_kind": 1}),
        ({"amount": 0}, False, {"wrong_kind": 1}),
    ],
)
def test_a_price_may_be_text_and_must_be_stated(
    price: Any, is_offered: bool, oddities: dict[str, int]
) -> None:
    """What names no price that can be read is not taken for free."""
    entry = {
        "id": "acme/wren-8b:free",
        "pricing": {"prompt": price, "completion": "0"},
        "architecture": {"output_modalities": ["text"]},
    }
    other = {**entry, "id": "acme/kite-3b:free", "pricing": {"prompt": 0, "completion": 0}}

    found = read_list("openrouter", {"data": [entry, other]})

    assert (len(found.listed) == 2) is is_offered
    assert found.oddities == oddities
