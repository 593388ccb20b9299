"""The catalog page: search, filters, facets, sorting, pages."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from catalog.columns import COLUMNS
from catalog.models import Change, ChangeKind, Model, Offer, OfferStatus, Provider
from tests.factories import make_model, make_offer, make_provider

pytestmark = pytest.mark.django_db

MOST_QUERIES = 12


@pytest.fixture
def small_catalog(db: None) -> None:
    wren = make_model("Wren 8B Instruct", params_b=8.0, specialties=["code"])
    heron = make_model(
        "Heron 70B", family="heron", params_b=70.0, specialties=["code", "reasoning"]
    )
    ibis = make_model("Ibis Embed", family="ibis", params_b=None, modality="embedding")
    fast = make_provider(slug="fast", name="Fast")
    keyed = make_provider(
        slug="keyed",
        name="Keyed",
        auth="bearer",
        tier="trial",
        training="used",
        demands=["phone", "region"],
    )
    make_offer(fast, wren, external_id="acme/wren-8b-instruct", context_tokens=8_192)
    make_offer(keyed, wren, external_id="wren-8b")
    make_offer(keyed, heron, external_id="heron-70b", context_tokens=131_072)
    make_offer(fast, ibis, external_id="ibis")
    make_offer(fast, make_model("Dodo 1B"), external_id="dodo", status=OfferStatus.RETIRED)


def names(client: Client, query: str = "") -> Sequence[str]:
    page = client.get(f"/catalog/{query}").content.decode()
    return re.findall(r'class="name" href="/catalog/models/[^"]+" data-row-link>([^<]+)', page)


def count(client: Client, query: str, facet: str, value: str) -> int:
    page = client.get(f"/catalog/{query}").content.decode()
    found = re.search(rf'id="facet-{facet}-{value}".*?class="n">(\d+)', page, re.DOTALL)
    assert found is not None
    return int(found.group(1))


@pytest.mark.usefixtures("small_catalog")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"Wren 8B Instruct", "Heron 70B", "Ibis Embed"}),
        ("?q=WREN+8b", {"Wren 8B Instruct"}),
        ("?q=acme", {"Wren 8B Instruct"}),
        ("?q=heron", {"Heron 70B"}),
        ("?q=%25", set()),
        ("?good=code", {"Wren 8B Instruct", "Heron 70B"}),
        ("?good=code&good=reasoning", {"Heron 70B"}),
        ("?size=small&size=unknown", {"Wren 8B Instruct", "Ibis Embed"}),
        ("?kind=embedding", {"Ibis Embed"}),
        ("?provider=keyed", {"Wren 8B Instruct", "Heron 70B"}),
        ("?tier=trial&size=large", {"Heron 70B"}),
        ("?now=usable", {"Wren 8B Instruct", "Ibis Embed"}),
        ("?now=retired", {"Dodo 1B"}),
        ("?now=new", set()),
        ("?family=wren&family=ibis", {"Wren 8B Instruct", "Ibis Embed"}),
        ("?active=heavy", {"Heron 70B"}),
        ("?active=light&active=unknown", {"Wren 8B Instruct", "Ibis Embed"}),
        ("?context=long", {"Heron 70B"}),
        ("?context=short&provider=keyed", set()),
        ("?training=used", {"Wren 8B Instruct", "Heron 70B"}),
        ("?training=unknown", {"Wren 8B Instruct", "Ibis Embed"}),
        ("?demands=phone", {"Wren 8B Instruct", "Heron 70B"}),
        ("?demands=nothing", {"Wren 8B Instruct", "Ibis Embed"}),
        ("?q=wern", {"Wren 8B Instruct"}),
        ("?q=instrct+8b", {"Wren 8B Instruct"}),
        ("?q=wren8b", {"Wren 8B Instruct"}),
        ("?q=hern+7b", set()),
        ("?q=0b", set()),
        ("?q=70", {"Heron 70B"}),
        ("?q=heron+70b+embed", set()),
    ],
)
def test_filters(viewer_client: Client, query: str, expected: set[str]) -> None:
    """Values of one group widen, groups and abilities narrow; retired shows only on demand."""
    assert set(names(viewer_client, query)) == expected


@pytest.mark.usefixtures("small_catalog")
def test_facets_count_under_the_current_filter(viewer_client: Client) -> None:
    """A count says how many models its value would leave; its own group is left out."""
    assert count(viewer_client, "", "good", "code") == 2
    assert count(viewer_client, "?good=reasoning", "good", "code") == 1
    assert count(viewer_client, "?size=large", "size", "small") == 1
    assert count(viewer_client, "?size=large", "provider", "keyed") == 1
    assert count(viewer_client, "?now=usable", "now", "retired") == 0
    page = viewer_client.get("/catalog/?kind=embedding").content.decode()
    assert re.search(r'id="facet-good-code"[^>]*disabled', page)


def test_a_long_facet_shows_its_fullest_values_first(viewer_client: Client) -> None:
    """Eight providers by count, those in force before them; the rest waits behind a link."""
    for number in range(12):
        provider = make_provider(name=f"Provider {number}", slug=f"p-{number}")
        for other in range(number):
            make_offer(provider, make_model(f"Wren {other}B"))
    page = viewer_client.get("/catalog/?provider=p-2").content.decode()
    first, more = page.split("More providers, 4")
    assert re.findall(r'id="facet-provider-(p-\d+)"', first) == [
        *("p-2", "p-11", "p-10", "p-9", "p-8", "p-7", "p-6", "p-5")
    ]
    assert re.findall(r'id="facet-provider-(p-\d+)"', more) == ["p-4", "p-3", "p-1", "p-0"]


@pytest.mark.usefixtures("small_catalog")
def test_offers_on_their_own(viewer_client: Client) -> None:
    """Each is a row with the figures of its provider; facets and counts count offers."""
    page = viewer_client.get("/catalog/?view=offers").content.decode()
    ids = re.findall(r'class="under mono">([^<]+)', page)
    assert ids == ["acme/wren-8b-instruct", "heron-70b", "wren-8b", "ibis"]
    assert "3 models, 4 offers" in page
    assert count(viewer_client, "?view=offers", "provider", "keyed") == 2
    assert count(viewer_client, "?view=offers", "family", "wren") == 2
    assert count(viewer_client, "?view=offers&family=wren", "training", "used") == 1
    by_context = names(viewer_client, "?view=offers&sort=-context")
    assert by_context[:2] == ["Heron 70B", "Wren 8B Instruct"]
    narrowed = viewer_client.get("/catalog/?view=offers&provider=keyed").content.decode()
    assert "acme/wren-8b-instruct" not in narrowed


@pytest.mark.usefixtures("small_catalog")
def test_a_slip_is_forgiven_and_told(viewer_client: Client) -> None:
    """Which word was taken for which; what stands there as typed is never replaced."""
    page = viewer_client.get("/catalog/?q=hreon").content.decode()
    assert "Nothing is called “hreon”; shown is what holds “heron”." in page
    assert "Nothing is called" not in viewer_client.get("/catalog/?q=heron").content.decode()
    assert "Nothing is called" not in viewer_client.get("/catalog/?q=zzzzzz").content.decode()


@pytest.mark.usefixtures("small_catalog")
@pytest.mark.parametrize("view", list(COLUMNS))
def test_every_column_sorts_and_may_be_left_out(viewer_client: Client, view: str) -> None:
    """Once chosen, for this person and this view only, until the usual ones are wanted again."""
    every = [one.name for one in COLUMNS[view]]
    answer = viewer_client.post("/catalog/columns/", {"view": view, "column": every})
    assert answer["Location"] == "/catalog/"
    page = viewer_client.get(f"/catalog/?view={view}").content.decode()
    assert re.findall(r'id="sort-([^"]+)"', page) == ["name", *every]
    for name in every:
        for sort in (name, f"-{name}"):
            assert len(names(viewer_client, f"?view={view}&sort={sort}")) >= 3
    viewer_client.post("/catalog/columns/", {"view": view, "address": f"?view={view}"})
    page = viewer_client.get(f"/catalog/?view={view}").content.decode()
    assert re.findall(r'id="sort-([^"]+)"', page) == ["name"]
    other = next(one for one in COLUMNS if one != view)
    page = viewer_client.get(f"/catalog/?view={other}").content.decode()
    assert 'id="sort-context"' in page
    viewer_client.post("/catalog/columns/", {"view": view, "column": every, "usual": "1"})
    page = viewer_client.get(f"/catalog/?view={view}").content.decode()
    usual = [one.name for one in COLUMNS[view] if one.is_usual]
    assert re.findall(r'id="sort-([^"]+)"', page) == ["name", *usual]


def test_choosing_columns_leads_nowhere_else(viewer_client: Client) -> None:
    """Back to the list as it was, never to an address of somebody's own; nonsense is left out."""
    asked = {"view": "nothing", "column": ["nothing", "context"], "address": "//evil.example"}
    answer = viewer_client.post("/catalog/columns/", asked)
    assert answer["Location"] == "/catalog/"
    asked |= {"view": "offers", "address": "?good=code&view=offers"}
    answer = viewer_client.post("/catalog/columns/", asked)
    assert answer["Location"] == "/catalog/?good=code&view=offers"


def test_what_is_left_sorts_unless_too_many_would_be_asked(
    viewer_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is callable comes before what is not; too many stay by name, with a notice."""
    for name, auth in (("Wren A", "bearer"), ("Wren B", "none")):
        make_offer(make_provider(auth=auth, limits={"rpd": 10}), make_model(name))
    assert names(viewer_client, "?sort=-left") == ["Wren B", "Wren A"]
    monkeypatch.setattr("catalog.model_list.MOST_ASKED", 0)
    page = viewer_client.get("/catalog/?sort=-left").content.decode()
    assert "too many to sort by what is left" in page
    assert names(viewer_client, "?sort=-left") == ["Wren A", "Wren B"]


@pytest.mark.usefixtures("small_catalog")
def test_a_change_is_seen_on_the_next_page(admin_client: Client) -> None:
    """What is kept of the rows is forgotten with every change that the product makes."""
    before = names(admin_client, "?now=usable")
    admin_client.post("/catalog/providers/fast/switch/", {"is_enabled": "0"})
    assert names(admin_client, "?now=usable") == []
    admin_client.post("/catalog/providers/fast/switch/", {"is_enabled": "1"})
    assert names(admin_client, "?now=usable") == before


@pytest.mark.usefixtures("small_catalog")
def test_sorting(viewer_client: Client) -> None:
    """Unknown figures come last, whichever way a column is sorted."""
    assert names(viewer_client, "?sort=-size") == ["Heron 70B", "Wren 8B Instruct", "Ibis Embed"]
    assert names(viewer_client, "?sort=size") == ["Wren 8B Instruct", "Heron 70B", "Ibis Embed"]
    assert names(viewer_client, "?sort=-context")[0] == "Heron 70B"
    assert names(viewer_client, "?sort=name")[0] == "Heron 70B"
    assert names(viewer_client)[0] == "Wren 8B Instruct"


@pytest.mark.usefixtures("small_catalog")
def test_what_does_not_chat_comes_after_what_does(viewer_client: Client) -> None:
    """However many offer it, and whoever of them can be called."""
    for _ in range(3):
        make_offer(make_provider(), Model.objects.get(name="Ibis Embed"))
    assert names(viewer_client) == ["Wren 8B Instruct", "Heron 70B", "Ibis Embed"]


@pytest.mark.usefixtures("small_catalog")
def test_who_may_not_call_is_not_offered_to_try(
    viewer_client: Client, operator_client: Client
) -> None:
    """On the list and on the model's own page."""
    wren = Model.objects.get(name="Wren 8B Instruct")
    for url in ("/catalog/", wren.get_absolute_url()):
        for client, is_offered in ((viewer_client, False), (operator_client, True)):
            page = client.get(url).content.decode()
            assert (f"/playground/?model={wren.slug}" in page) is is_offered


@pytest.mark.usefixtures("small_catalog")
def test_offers_open_in_place_without_script(viewer_client: Client) -> None:
    """The row's own link opens it; only matching offers are inside."""
    slug = Model.objects.get(name="Wren 8B Instruct").slug
    page = viewer_client.get(f"/catalog/?open={slug}").content.decode()
    assert "acme/wren-8b-instruct" in page
    assert "No key" in page
    narrowed = viewer_client.get(f"/catalog/?open={slug}&provider=keyed").content.decode()
    assert "acme/wren-8b-instruct" not in narrowed


@pytest.mark.usefixtures("small_catalog")
def test_what_a_refresh_added_is_new_for_a_week(viewer_client: Client) -> None:
    """New is what a refresh found, not what an installation brought."""
    offer = Offer.objects.get(external_id="heron-70b")
    Change.objects.create(
        kind=ChangeKind.ADDED,
        provider=offer.provider,
        offer=offer,
        external_id="heron-70b",
        model_name="Heron 70B",
    )
    assert names(viewer_client, "?now=new") == ["Heron 70B"]


@pytest.mark.usefixtures("small_catalog")
@pytest.mark.parametrize(
    ("query", "notice"),
    [
        ("?kind=zzz", "“zzz” is not a choice of Kind"),
        ("?view=cube", "“cube” is not a view"),
        ("?family=zzz", "“zzz” is not a choice of Family"),
        ("?sort=--name", "no column “--name” to sort by"),
        ("?sort=price", "no column “price” to sort by"),
        ("?page=0", "“0” is not a page"),
        ("?page=-1", "“-1” is not a page"),
        ("?page=1e9", "“1e9” is not a page"),
        ("?page=" + "9" * 400, "is not a page"),
        ("?page=²", "“²” is not a page"),
        ("?provider=<script>alert(1)</script>", "is not a choice of Provider"),
        ("?q=" + "x" * 5000, "Only the first 200 characters"),
        ("?now=usable&now=usable&now=never", "“never” is not a choice of Now"),
        ("?q=☃%20𝄞", "No model fits"),
        ("?open=nobody&open=" + "x" * 300, "3 models, 4 offers"),
        ("?density=wide", "3 models, 4 offers"),
    ],
)
def test_nonsense_is_ignored_with_a_notice(viewer_client: Client, query: str, notice: str) -> None:
    """Never an error of ours, never markup of theirs."""
    response = viewer_client.get(f"/catalog/{query}")
    assert response.status_code == 200
    assert notice in response.content.decode()
    assert b"<script>alert" not in response.content


@pytest.mark.usefixtures("small_catalog")
def test_an_unknown_value_is_named(viewer_client: Client) -> None:
    """The notice says which value was ignored."""
    assert (
        "“zzz” is not a choice of Kind" in viewer_client.get("/catalog/?kind=zzz").content.decode()
    )


@pytest.mark.usefixtures("small_catalog")
def test_a_page_beyond_the_last_is_a_404_with_a_way_back(viewer_client: Client) -> None:
    """Also for htmx, which swaps the answer in place."""
    for headers in ({}, {"HX-Request": "true"}):
        response = viewer_client.get("/catalog/?page=999999999", headers=headers)
        assert response.status_code == 404
        assert b"Go to the last page" in response.content


@pytest.mark.usefixtures("small_catalog")
def test_a_swap_brings_rows_counts_and_announcement(viewer_client: Client) -> None:
    """The fragment holds no page around it, and the address in its normal form."""
    response = viewer_client.get(
        "/catalog/?q=wren&kind=&page=1",
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/catalog/"},
    )
    page = response.content.decode()
    assert "<html" not in page
    assert 'id="facet-kind" hx-swap-oob="true"' in page
    assert "1 model, 2 offers" in page
    assert response["HX-Push-Url"] == "/catalog/?q=wren"
    assert "HX-Request" in response["Vary"]


@pytest.mark.usefixtures("small_catalog")
@pytest.mark.parametrize(
    ("before", "now", "header"),
    [
        ("", "?q=w", "HX-Push-Url"),
        ("?q=w", "?q=wren", "HX-Replace-Url"),
        ("?q=w&page=2", "?q=wren", "HX-Replace-Url"),
        ("?q=wren", "?good=code&q=wren", "HX-Push-Url"),
        ("?q=wren", "?sort=name&q=wren", "HX-Push-Url"),
        ("?q=wren", "", "HX-Push-Url"),
        ("?q=wren#filters", "?q=wren&density=compact", "HX-Replace-Url"),
    ],
)
def test_back_takes_back_one_step(
    viewer_client: Client, before: str, now: str, header: str
) -> None:
    """Every filter, order and page is a step, of a search only its first letters."""
    headers = {"HX-Request": "true", "HX-Current-URL": f"http://testserver/catalog/{before}"}
    response = viewer_client.get(f"/catalog/{now}", headers=headers)
    assert {"HX-Push-Url", "HX-Replace-Url"} & set(response.headers) == {header}


@pytest.mark.usefixtures("small_catalog")
def test_density_is_kept_in_a_cookie(viewer_client: Client) -> None:
    """The next page remembers the choice."""
    viewer_client.get("/catalog/?density=compact")
    assert b'data-density="compact"' in viewer_client.get("/catalog/").content


def test_an_empty_catalog_says_what_fills_it(viewer_client: Client) -> None:
    """No fake rows."""
    assert b"sync_catalog" in viewer_client.get("/catalog/").content


def test_ten_thousand_offers_cost_as_many_queries_as_ten(
    viewer_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    """Filters, facets and open rows included."""
    provider: Provider = make_provider()
    models = Model.objects.bulk_create(
        Model(slug=f"m-{n}", name=f"Model {n}", params_b=n % 200) for n in range(5_000)
    )
    Offer.objects.bulk_create(
        Offer(provider=provider, model=models[n % 5_000], external_id=f"id-{n}")
        for n in range(10_000)
    )
    with django_assert_max_num_queries(MOST_QUERIES):
        assert viewer_client.get("/catalog/").status_code == 200
    with django_assert_max_num_queries(MOST_QUERIES):
        page = viewer_client.get("/catalog/?size=small&open=m-0&open=m-1&sort=name")
    assert b"id-0" in page.content
    with django_assert_max_num_queries(MOST_QUERIES):
        page = viewer_client.get("/catalog/?view=offers&sort=-context")
    assert b"10000 offers" in page.content


def test_search_needs_no_session_of_an_admin(viewer_client: Client, client: Client) -> None:
    """Viewers read; who is not signed in is sent to sign in; writes are refused."""
    assert viewer_client.get("/catalog/").status_code == 200
    assert client.get("/catalog/").status_code == 302
    assert viewer_client.post("/catalog/").status_code == 405
