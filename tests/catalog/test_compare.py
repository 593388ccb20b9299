"""Models side by side."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from catalog.models import Model
from tests.factories import make_call, make_model, make_offer, make_provider

pytestmark = pytest.mark.django_db


@pytest.fixture
def three(db: None) -> list[Model]:
    fast = make_provider(name="Fast", limits={"rpm": 30})
    slow = make_provider(name="Slow", auth="bearer", limits={"rpm": 5}, demands=["phone"])
    wren = make_model("Wren 8B", specialties=["code"])
    heron = make_model("Heron 70B", params_b=70.0, specialties=["code", "reasoning"])
    ibis = make_model("Ibis 8B")
    make_offer(fast, wren, external_id="wren", context_tokens=8_192)
    make_offer(slow, heron, context_tokens=131_072)
    make_offer(slow, ibis)
    return [wren, heron, ibis]


def columns(page: str) -> list[str]:
    head = page[page.index("<thead>") : page.index("</thead>")]
    return re.findall(r'class="name" href="[^"]+">([^<]+)', head)


def row(page: str, title: str) -> tuple[bool, list[str]]:
    """Whether it is marked as different, and its cells as text."""
    found = re.search(
        rf'<tr( class="differs")?>\s*<th scope="row">{title}(?:<span|</th>)(.*?)</tr>',
        page,
        re.DOTALL,
    )
    assert found is not None, title
    cells = re.findall(r"<td>(.*?)</td>", found[2], re.DOTALL)
    return bool(found[1]), [re.sub(r"<(?!b>|/b>)[^>]+>", "", cell).strip() for cell in cells]


def test_facts_stand_side_by_side_and_differences_are_marked(
    viewer_client: Client, three: list[Model]
) -> None:
    """In the order asked for; the better figure is bold, and what is equal is not marked."""
    page = viewer_client.get("/catalog/compare/?models=heron-70b,wren-8b").content.decode()
    assert columns(page) == ["Heron 70B", "Wren 8B"]
    assert row(page, "Size") == (True, ["70B", "8B"])
    assert row(page, "Longest context") == (True, ["<b>131k</b>", "8.2k"])
    assert row(page, "Family")[0] is False
    assert row(page, "Requests a minute") == (True, ["5", "<b>30</b>"])
    assert row(page, "Best offer now") == (True, ["No key", "Answers"])
    assert row(page, "An account needs") == (True, ["a phone number", "nothing that is known"])
    assert row(page, "First token") == (False, ["no calls yet", "no calls yet"])
    only = viewer_client.get("/catalog/compare/?models=heron-70b,wren-8b&different=1")
    assert b">Family<" not in only.content
    assert b"Longest context" in only.content


def test_what_was_measured_is_compared(viewer_client: Client, three: list[Model]) -> None:
    """By the calls that were recorded; who was never called has no figure."""
    provider = three[0].offers.get().provider.slug
    make_call(provider=provider, model="wren", first_token_s=0.2)
    page = viewer_client.get("/catalog/compare/?models=heron-70b,wren-8b").content.decode()
    differs, cells = row(page, "First token")
    assert differs
    assert cells[0] == "no calls yet"
    assert re.search(r"0\.2", cells[1])


def test_a_fifth_is_refused(viewer_client: Client, three: list[Model]) -> None:
    """Four stand, and the page names who had no place and what to do."""
    for name in ("Kestrel", "Plover"):
        make_offer(make_provider(), make_model(name))
    query = "?models=wren-8b&models=heron-70b,ibis-8b&models=kestrel,plover"
    page = viewer_client.get(f"/catalog/compare/{query}").content.decode()
    assert columns(page) == ["Wren 8B", "Heron 70B", "Ibis 8B", "Kestrel"]
    assert "Take one away before you add Plover." in page
    assert 'name="add"' not in page


def test_a_model_is_added_by_what_it_is_called(viewer_client: Client, three: list[Model]) -> None:
    """Slips are forgiven; what nobody is called is said, and what stands stays."""
    answer = viewer_client.get("/catalog/compare/?models=wren-8b&add=hreon")
    assert answer["Location"] == "/catalog/compare/?models=wren-8b,heron-70b"
    page = viewer_client.get("/catalog/compare/?models=wren-8b&add=zzzz").content.decode()
    assert "No model is called “zzzz”." in page
    assert columns(page) == ["Wren 8B"]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("", "Nothing to compare yet"),
        ("?models=", "Nothing to compare yet"),
        ("?models=,,<script>,", "No model is filed under “&lt;script&gt;”."),
        ("?models=wren-8b,wren-8b", "Take Wren 8B away"),
        ("?models=" + "x," * 5000, "No model is filed under “x”."),
        ("?add=%20%F0%9D%84%9E", "No model is called"),
    ],
)
def test_nonsense_is_told(viewer_client: Client, three: list[Model], query: str, told: str) -> None:
    """Never an error of ours."""
    answer = viewer_client.get(f"/catalog/compare/{query}")
    assert answer.status_code == 200
    assert told in answer.content.decode()


def test_four_models_cost_few_queries(
    viewer_client: Client,
    three: list[Model],
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    """However many offers they have."""
    for _ in range(20):
        make_offer(make_provider(), three[0])
    with django_assert_max_num_queries(12):
        viewer_client.get("/catalog/compare/?models=wren-8b,heron-70b,ibis-8b")
