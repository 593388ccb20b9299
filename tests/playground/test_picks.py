"""What the composer shows before anything is sent."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.test import AsyncClient

from playground.models import Run
from tests.factories import make_model
from tests.playground.conftest import Simulate

RECOMMEND = "/playground/recommend/"


async def test_three_models_with_score_parts_and_reasons(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """While typing, the best models appear with why; nothing is called or kept."""
    for number, name in enumerate(["Wren 8B", "Heron 32B", "Kestrel 70B", "Swift 3B"]):
        await simulate(slug=f"sim-{number}", name=name)
    response = await operator_async_client.post(RECOMMEND, {"prompt": "Write a Python function"})
    text = response.content.decode()
    assert text.count('class="pick"') == 3
    assert "code, medium" in text
    for part in ("Fit ", "Speed ", "Left ", "Health ", "answers in about", "tokens"):
        assert part in text
    assert not await Run.objects.aexists()


async def test_half_typed_parameters_do_not_disturb(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """An unfinished number is no reason to show nothing."""
    await simulate()
    response = await operator_async_client.post(
        RECOMMEND, {"prompt": "Hello there", "temperature": "0.", "max_tokens": "x"}
    )
    assert response.status_code == 200
    assert 'class="pick"' in response.content.decode()


async def test_the_chosen_model_stays_chosen(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """Typing on does not take back a choice."""
    simulated = await simulate()
    response = await operator_async_client.post(
        RECOMMEND, {"prompt": "Hello there", "offer": str(simulated.offer.pk)}
    )
    assert f'value="{simulated.offer.pk}" checked' in response.content.decode()


async def test_a_link_chooses_model_and_prompt(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """`?model=` and `?prompt=` fill the composer."""
    simulated = await simulate()
    slug = simulated.offer.model.slug
    page = await operator_async_client.get(f"/playground/?model={slug}&prompt=Why%3F")
    text = page.content.decode()
    assert f'value="{simulated.offer.pk}" checked' in text
    assert "Why?</textarea>" in text


async def test_a_link_to_an_unknown_model_says_so(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """The nearest there is is offered, and the prompt goes along; nothing is chosen."""
    await simulate(name="Heron 7B")
    page = await operator_async_client.get("/playground/?model=heron-7b-pro&prompt=Why+%26+how%3F")
    text = page.content.decode()
    assert "There is no model “heron-7b-pro”" in text
    assert 'href="/playground/?model=heron-7b&amp;prompt=Why%20%26%20how%3F"' in text
    assert "checked>Let FreeLLM choose" in text
    assert "Why &amp; how?</textarea>" in text


async def test_a_link_to_a_model_that_is_gone_says_so(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """The catalog still knows it, so its page is linked; what is like nothing has no neighbour."""
    await simulate(name="Heron 7B")
    await sync_to_async(make_model)("Zyzzyva Extra")
    await sync_to_async(make_model)("Nehor 70B")
    text = (await operator_async_client.get("/playground/?model=zyzzyva-extra")).content.decode()
    assert '<a href="/catalog/models/zyzzyva-extra/">Zyzzyva Extra</a> cannot be called now' in text
    assert "or take one that is near" not in text
    text = (await operator_async_client.get("/playground/?model=nehor-70b")).content.decode()
    assert "Nehor 70B</a> cannot be called now" in text
    assert "or take one that is near" not in text
    text = (await operator_async_client.get("/playground/?model=heron-7b")).content.decode()
    assert "cannot be called now" not in text
    assert "There is no model" not in text


async def test_used_up_quota_is_said(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """After a call the picks tell how much of a small quota is left."""
    simulated = await simulate()
    simulated.offer.limits = {"rpm": 2}
    await simulated.offer.asave()
    await operator_async_client.post("/playground/send/", {"prompt": "Say something"})
    response = await operator_async_client.post(RECOMMEND, {"prompt": "Hello there"})
    assert "left of this minute" in response.content.decode()
