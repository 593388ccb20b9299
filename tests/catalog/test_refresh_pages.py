"""The refresh button, its progress, and the list of changes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from catalog.models import Change, ChangeKind, Refresh, RefreshResult, RefreshState
from tests.factories import make_offer, make_provider

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


def make_refresh(state: str = RefreshState.RUNNING, **fields: object) -> Refresh:
    return Refresh.objects.create(state=state, heartbeat_at=timezone.now(), **fields)


def test_the_button_queues_and_shows_progress(operator_client: Client) -> None:
    """With htmx a part of the page that asks again, else a page of its own."""
    swapped = operator_client.post("/catalog/refresh/", headers=HTMX).content.decode()
    refresh = Refresh.objects.get()
    assert f'hx-get="/catalog/refreshes/{refresh.pk}/"' in swapped
    assert "<html" not in swapped
    response = operator_client.post("/catalog/refresh/")
    assert response["Location"] == f"/catalog/refreshes/{refresh.pk}/"
    assert Refresh.objects.count() == 1


def test_one_provider_can_be_refreshed(operator_client: Client) -> None:
    """An unknown one is a 404."""
    provider = make_provider(slug="wren")
    operator_client.post("/catalog/refresh/", {"provider": "wren"})
    assert Refresh.objects.get().provider == provider
    assert operator_client.post("/catalog/refresh/", {"provider": "nobody"}).status_code == 404


def test_polling_ends_with_286(viewer_client: Client) -> None:
    """While it runs the part asks again; once it is over it does not."""
    running = make_refresh(total=4, done=1)
    url = f"/catalog/refreshes/{running.pk}/"
    response = viewer_client.get(url, headers=HTMX)
    assert response.status_code == 200
    assert b"1 of 4" in response.content
    Refresh.objects.update(state=RefreshState.DONE, finished_at=timezone.now())
    provider = make_provider(name="Wren Cloud")
    RefreshResult.objects.create(
        refresh=running, provider=provider, is_ok=False, detail="It answered with a web page."
    )
    over = viewer_client.get(url, headers=HTMX)
    assert over.status_code == 286
    assert b"hx-trigger" not in over.content
    assert b"It answered with a web page." in over.content
    assert viewer_client.get(url).status_code == 200


def test_a_refresh_nobody_takes_up_says_so(viewer_client: Client) -> None:
    """After ten seconds the page names the remedy."""
    waiting = make_refresh(RefreshState.QUEUED)
    url = f"/catalog/refreshes/{waiting.pk}/"
    assert b"No worker" not in viewer_client.get(url).content
    Refresh.objects.update(created_at=timezone.now() - timedelta(seconds=11))
    page = viewer_client.get(url).content.decode()
    assert "No worker has taken it up" in page
    assert "Reload" in page


def test_a_failed_refresh_says_why(viewer_client: Client) -> None:
    """Its own sentence stands on the page."""
    failed = make_refresh(RefreshState.FAILED, detail="The task queue does not answer.")
    page = viewer_client.get(f"/catalog/refreshes/{failed.pk}/").content.decode()
    assert "The task queue does not answer." in page


def test_viewers_may_look_but_not_refresh(viewer_client: Client) -> None:
    """The button is hidden and the address refuses."""
    assert viewer_client.post("/catalog/refresh/").status_code == 403
    assert viewer_client.get("/catalog/refresh/").status_code == 405
    assert "Refresh lists" not in viewer_client.get("/catalog/").content.decode()
    assert viewer_client.get("/catalog/refreshes/999/").status_code == 404


def make_changes(count: int) -> None:
    offer = make_offer(make_provider(slug="wren", name="Wren Cloud"))
    Change.objects.bulk_create(
        Change(
            kind=ChangeKind.ADDED if n % 2 else ChangeKind.GONE,
            provider=offer.provider,
            offer=offer,
            external_id=f"id-{n}",
            model_name=f"Model {n}",
        )
        for n in range(count)
    )


def test_changes_are_filtered_and_paged(
    viewer_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    """Newest first, fifty on a page, a bounded number of queries."""
    make_changes(120)
    with django_assert_max_num_queries(14):
        page = viewer_client.get("/catalog/changes/").content.decode()
    assert "1 to 50 of 120" in page
    assert "Model 119" in page
    only = viewer_client.get("/catalog/changes/?kind=gone&provider=wren&page=2").content.decode()
    assert "51 to 60 of 60" in only
    assert "kind=gone" in only
    assert "Model 0<" in only


@pytest.mark.parametrize("query", ["?kind=x", "?provider=nobody", "?page=x", "?kind=<b>"])
def test_nonsense_in_the_address_is_ignored(viewer_client: Client, query: str) -> None:
    """With a notice, and no markup of theirs."""
    make_changes(1)
    response = viewer_client.get(f"/catalog/changes/{query}")
    assert response.status_code == 200
    page = response.content.decode()
    assert "this is the first" in page or "it is ignored" in page
    assert "1 change<" in page
    assert "<b>”" not in page


def test_a_page_of_changes_beyond_the_last(viewer_client: Client) -> None:
    """A 404 that leads to the last."""
    make_changes(1)
    response = viewer_client.get("/catalog/changes/?page=7")
    assert response.status_code == 404
    assert b"Go to the last page" in response.content


def test_no_changes_yet(viewer_client: Client) -> None:
    """The empty list says what fills it."""
    assert b"No changes yet" in viewer_client.get("/catalog/changes/").content


def test_every_failed_list_is_named_with_its_reason(viewer_client: Client) -> None:
    """One reason stands once however many lists it kept; none is left out."""
    over = make_refresh(RefreshState.DONE, finished_at=timezone.now())
    reasons = ["No way there.", *(f"Reason {number}." for number in range(5))]
    for number in range(12):
        RefreshResult.objects.create(
            refresh=over,
            provider=make_provider(name=f"Wren Cloud {number:02}"),
            is_ok=False,
            detail=reasons[max(0, number - 6)],
        )
    page = viewer_client.get(f"/catalog/refreshes/{over.pk}/", headers=HTMX)
    told = page.content.decode()
    assert "12 of 12 lists could not be renewed" in told
    assert all(f">Wren Cloud {number:02}</a>" in told for number in range(12))
    assert [told.count(reason) for reason in reasons] == [1] * 6
    assert told.index(reasons[0]) < told.index(reasons[1])
    assert page["HX-Trigger-After-Settle"] == '{"listsRefreshed": {}}'
