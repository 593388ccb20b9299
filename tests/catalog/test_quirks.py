"""Each provider of the mapping is asked in its own way."""

from __future__ import annotations

import json
from typing import Any

import pytest

from catalog.keys import KeyOrigin, UsableKey, extra_fields
from catalog.mapping import MappingError, ProviderFacts, build, bundled
from catalog.models import Model, Offer, Provider
from catalog.targets import build_target
from gateway.dialects import dialect_for
from gateway.quirks import DROPPABLE
from gateway.types import ChatRequest, Message, Secret, Target

_CALLED = [one for one in bundled().providers if one.base_url and one.retired_on is None]
_ASKED = ChatRequest(
    (Message("system", "Be brief."), Message("user", "Hi")),
    temperature=0.5,
    max_tokens=7,
    seed=3,
    parallel_tool_calls=False,
)


def target_of(facts: ProviderFacts, model: str = "wren-8b") -> Target:
    """As it comes out of the database after a sync; nothing is saved here."""
    provider = Provider(
        slug=facts.slug,
        name=facts.name,
        base_url=facts.base_url,
        auth=facts.auth,
        chat_dialect=facts.chat_dialect,
        extra_env=facts.extra_env,
        quirks=facts.quirks,
    )
    offer = Offer(provider=provider, model=Model(name="Wren"), external_id=model)
    extra = dict.fromkeys(extra_fields(provider), "made-up")
    key = UsableKey("1", Secret("sk-made-up"), extra, label="", origin=KeyOrigin.STORED)
    return build_target(offer, key if provider.needs_key else None)


def sent(slug: str, model: str = "wren-8b") -> tuple[dict[str, Any], tuple[str, ...]]:
    facts = next(one for one in bundled().providers if one.slug == slug)
    target = target_of(facts, model)
    outgoing = dialect_for(target.dialect).build_request(target, _ASKED, stream=True)
    return json.loads(outgoing.body or b""), outgoing.dropped


@pytest.mark.parametrize("facts", _CALLED, ids=lambda one: one.slug)
def test_every_provider_can_be_asked(facts: ProviderFacts) -> None:
    """A whole address, the key where it belongs, and nothing lost without a word."""
    target = target_of(facts)
    outgoing = dialect_for(target.dialect).build_request(target, _ASKED, stream=True)
    assert "{" not in outgoing.url
    assert outgoing.url.startswith(target.base_url)
    has_key = any("sk-made-up" in value for value in outgoing.headers.values())
    assert has_key == (facts.auth != "none")
    assert set(outgoing.dropped) <= DROPPABLE
    body = json.loads(outgoing.body or b"")
    values = {"max_tokens": 7, "seed": 3, "temperature": 0.5}
    kept = [value for name, value in values.items() if name not in outgoing.dropped]
    told = {**body, **body.get("generationConfig", {})}.values()
    assert all(value in told for value in kept)


@pytest.mark.parametrize("slug", ["mistral", "codestral"])
def test_mistral_refuses_what_it_does_not_know(slug: str) -> None:
    """A 422 for `seed` and for `stream_options`; it tells the usage of a stream unasked."""
    body, dropped = sent(slug)
    assert body["random_seed"] == 3
    assert not body.keys() & {"seed", "stream_options"}
    assert not dropped


@pytest.mark.parametrize("slug", ["cerebras", "groq"])
def test_the_answers_bound_by_its_newer_name(slug: str) -> None:
    """`max_tokens` is deprecated there."""
    body, _ = sent(slug)
    assert (body["max_completion_tokens"], "max_tokens" in body) == (7, False)


def test_quirks_of_some_models_only() -> None:
    """Gemma 3 has no place for a system instruction, Gemini has one."""
    assert "systemInstruction" in sent("google-ai-studio", "gemini-3.5-flash")[0]
    body, _ = sent("google-ai-studio", "gemma-3-27b-it")
    assert "systemInstruction" not in body
    assert body["contents"][0]["parts"] == [{"text": "Be brief.\n\nHi"}]


def test_what_was_left_out_is_named() -> None:
    """Nvidia's models refuse to hear of parallel calls."""
    body, dropped = sent("nvidia-nim")
    assert dropped == ("parallel_tool_calls",)
    assert "parallel_tool_calls" not in body


def test_a_quirk_that_nobody_knows() -> None:
    """Found when the mapping is read."""
    provider = {"slug": "wren", "name": "Wren", "tier": "free", "quirks": [{"drops": ["colour"]}]}
    with pytest.raises(MappingError, match=r"wren: .*colour"):
        build(bundled().as_of, [provider], [])
