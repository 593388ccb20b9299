"""Lists that come in pages, and every carried list, over real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from catalog.fetch import MAX_PAGES
from catalog.models import Offer, Provider, Refresh
from catalog.services import queue_refresh
from catalog.sources.pages import with_query
from catalog.tasks import run
from tests.catalog.list_server import ListServer
from tests.catalog.samples import LISTS, OFFERED, facts_of
from tests.catalog.simulators import simulator_in_thread
from tests.factories import make_offer, make_provider, make_scenario, make_sim_model
from tests.factories import make_sim_provider as make_simulated

pytestmark = pytest.mark.django_db

COHERE = {"list_dialect": "cohere", "list_items_path": "models", "id_field": "name"}


@pytest.fixture
def server() -> Iterator[ListServer]:
    server = ListServer()
    server.start()
    yield server
    server.stop()


def refreshed() -> Refresh:
    row = queue_refresh()
    run(row.pk)
    row.refresh_from_db()
    return row


def cohere_page(*ids: str, following: Any = "") -> dict[str, Any]:
    models = [{"name": one, "endpoints": ["chat"]} for one in ids]
    return {"models": models, "next_page_token": following}


def listed_ids(provider: Provider) -> set[str]:
    return set(provider.offers.filter(is_listed=True).values_list("external_id", flat=True))


def test_every_carried_list_yields_what_its_rule_says(server: ListServer) -> None:
    """Served over HTTP to one refresh of all, byte for byte, with its key and account id."""
    for slug in OFFERED:
        facts = facts_of(slug)
        server.answers_bytes(f"/{slug}/models", (LISTS / f"{slug}.json").read_bytes())
        make_provider(
            slug=slug,
            list_url=f"{server.url}/{slug}/models",
            list_dialect=facts.list_dialect,
            list_items_path=facts.list_items_path,
            id_field=facts.id_field,
            list_select=facts.list_select,
        )
    token = json.loads((LISTS / "google-ai-studio.json").read_text())["nextPageToken"]
    second = with_query("/google-ai-studio/models", pageToken=token)
    server.answers_json(second, {"models": []})

    row = refreshed()

    assert not row.results.filter(is_ok=False).exists()
    offers = Offer.objects.select_related("provider")
    found: dict[str, set[tuple[str, int | None, int | None]]] = {slug: set() for slug in OFFERED}
    for one in offers:
        shown = (one.external_id, one.context_tokens, one.max_output_tokens)
        found[one.provider.slug].add(shown)
    assert found == {slug: set(offered) for slug, offered in OFFERED.items()}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("style", "query", "pages"),
    [("gemini", "", 3), ("gemini", "?pageSize=100", 2), ("cohere", "", 6), ("openai", "", 1)],
)
def test_a_simulated_list_is_read_to_its_last_page(style: str, query: str, pages: int) -> None:
    """Each shape in its own pages, at the size that was asked for or at the server's."""
    models = tuple(make_sim_model(id=f"wren-{n}b", name=f"Wren {n}B") for n in range(1, 121))
    simulated = make_simulated(style=style, models=models)
    with simulator_in_thread(make_scenario(simulated)) as url:
        provider = make_provider(
            list_url=f"{url}/{simulated.slug}/v1/models{query}",
            list_dialect=simulated.list_dialect,
            list_items_path=simulated.list_items_path,
            id_field=simulated.id_field,
        )
        row = refreshed()
        state = httpx.get(f"{url}/_sim/state", trust_env=False).json()

    assert row.results.get().added == len(models)
    assert state["providers"][simulated.slug]["listed"] == pages
    assert listed_ids(provider) == {one.id for one in models}


def test_pages_by_number_are_read_until_all_are_told(server: ListServer) -> None:
    """Cloudflare counts; what the address asks for besides stays in it, and the key goes along."""
    path = "/acc/models/search?search=Text+Generation"
    for number, ids in ((1, "ab"), (2, "cd"), (3, "e")):
        entries = [
            {"id": "uuid", "name": f"@cf/{one}-1b", "task": {"name": "Text Generation"}}
            for one in ids
        ]
        info = {"page": number, "per_page": 2, "count": len(ids), "total_count": 5}
        at = path if number == 1 else f"{path}&page={number}"
        server.answers_json(at, {"result": entries, "result_info": info})
    provider = make_provider(
        list_url=server.url + path,
        list_dialect="cloudflare-search",
        list_items_path="result",
        id_field="name",
    )

    refreshed()

    assert listed_ids(provider) == {f"@cf/{one}-1b" for one in "abcde"}
    assert [at for at, _ in server.requests] == [path, f"{path}&page=2", f"{path}&page=3"]


@pytest.mark.parametrize(
    ("second", "status", "told"),
    [
        (b'{"message": "boom"}', 503, "The fault is there."),
        (b'{"models": [{"name": "c-3b", "endp', 200, "not JSON"),
        (b"<html>Maintenance</html>", 200, "web page"),
        (b'{"message": "all well"}', 200, "no list under"),
        (json.dumps(cohere_page("c", following="t2")).encode(), 200, "in a circle"),
        (json.dumps(cohere_page("c", following=7)).encode(), 200, "goes on, but not where"),
        (json.dumps(cohere_page("c", following="x" * 9_000)).encode(), 200, "goes on, but not"),
        (b" " * 15_999_990 + b'{"models": []}', 200, "16 MB"),
    ],
    ids=["503", "half", "html", "no-list", "circle", "number", "novel", "huge"],
)
def test_one_bad_page_leaves_the_catalog_as_it_is(
    server: ListServer, second: bytes, status: int, told: str
) -> None:
    """Half a list is no list: nothing is added, nothing goes missing."""
    server.answers_json("/models", cohere_page("a-1b", "b-2b", following="t2"))
    server.answers_bytes("/models?page_token=t2", second, status)
    provider = make_provider(list_url=f"{server.url}/models", **COHERE)
    kept = make_offer(provider, external_id="c-3b", is_listed=True)

    row = refreshed()

    assert told in row.results.get().detail
    assert listed_ids(provider) == {kept.external_id}
    assert provider.offers.count() == 1


def test_pages_without_end_are_given_up(server: ListServer) -> None:
    """A server that always has one more page is asked a bounded number of times."""
    for number in range(MAX_PAGES + 1):
        at = f"/models?page_token={number}" if number else "/models"
        server.answers_json(at, cohere_page(f"wren-{number}b", following=str(number + 1)))
    provider = make_provider(list_url=f"{server.url}/models", **COHERE)

    row = refreshed()

    assert f"goes on after {MAX_PAGES} pages" in row.results.get().detail
    assert provider.offers.count() == 0
    assert len(server.requests) == MAX_PAGES


def test_an_id_on_two_pages_is_one_offer(server: ListServer) -> None:
    """A list that grows while its pages are turned tells of some models twice."""
    server.answers_json("/models", cohere_page("a-1b", "b-2b", following="t2"))
    server.answers_json("/models?page_token=t2", cohere_page("b-2b", "c-3b"))
    provider = make_provider(list_url=f"{server.url}/models", **COHERE)

    refreshed()

    assert listed_ids(provider) == {"a-1b", "b-2b", "c-3b"}
    assert provider.offers.count() == 3
