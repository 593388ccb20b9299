"""Each address of the catalog against each kind of nonsense: never a failure of ours."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from catalog.models import Origin, Provider, Refresh, RefreshState
from tests.factories import make_key, make_offer, make_provider

pytestmark = pytest.mark.django_db

HUGE = "9" * 40
NONSENSE = {
    "a NUL byte": "a%00b",
    "broken UTF-8": "%ff%fe%c3%28",
    "a lone surrogate": "%ed%a0%80",
    "an absurd number": HUGE,
    "a negative number": "-1",
    "a fraction": "1e309",
    "markup": "%3Cscript%3Ealert(1)%3C/script%3E",
    "a hundred kilobytes": "x" * 100_000,
    "many of them": "&".join(["a"] * 1_200),
}
READ = {  # by its fields
    "/catalog/": ("q", "sort", "page", "open", "now", "provider", "density", "unheard-of"),
    "/catalog/models/wren-8b-instruct/": ("q",),
    "/catalog/providers/": ("q", "page"),
    "/catalog/providers/wren/": ("checked",),
    "/catalog/changes/": ("provider", "kind", "page"),
    "/catalog/refreshes/{refresh}/": ("page",),
    "/catalog/providers/own/add/": ("name",),
    "/catalog/providers/own/mine/edit/": ("name",),
}
WRITTEN = {
    "/catalog/refresh/": ("provider",),
    "/catalog/providers/simulator/switch/": ("simulator", "provider"),
    "/catalog/providers/wren/switch/": ("is_enabled",),
    "/catalog/offers/{offer}/hide/": ("next",),
    "/catalog/offers/{offer}/show/": ("next",),
    "/catalog/providers/wren/keys/add/": ("secret", "label"),
    "/catalog/providers/keys/{key}/switch/": ("is_enabled",),
    "/catalog/providers/own/add/": ("name", "base_url", "model_ids"),
    "/catalog/providers/own/mine/edit/": ("name", "base_url", "model_ids"),
}
PATHS = (
    "/catalog/models/{0}/",
    "/catalog/providers/{0}/",
    "/catalog/refreshes/{0}/",
    "/catalog/offers/{0}/hide/",
    "/catalog/providers/{0}/keys/add/",
    "/catalog/providers/keys/{0}/remove/",
    "/catalog/providers/own/{0}/edit/",
)
with_nonsense = pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE)


@pytest.fixture
def ids(admin_client: Client) -> dict[str, int]:
    """One of everything; the client tells of failures as a browser would see them."""
    admin_client.raise_request_exception = False
    provider = make_provider(slug="wren", auth="bearer")
    make_provider(slug="mine", origin=Origin.OWN)
    return {
        "offer": make_offer(provider).pk,
        "key": make_key(provider).pk,
        "refresh": Refresh.objects.create(state=RefreshState.DONE).pk,
    }


@with_nonsense
def test_in_the_query(admin_client: Client, ids: dict[str, int], nonsense: str) -> None:
    """Ignored with a notice, or refused with a reason; htmx is told the same."""
    for path, fields in READ.items():
        for field in fields:
            url = f"{path.format(**ids)}?{field}={nonsense}"
            for headers in ({}, {"HX-Request": "true", "HX-Current-URL": "http://[bro"}):
                response = admin_client.get(url, headers=headers)
                assert response.status_code in (200, 286, 400, 404, 414), (url[:80], headers)
                assert b"<script>alert" not in response.content
                assert headers or _says_something(response.content)


@with_nonsense
def test_in_a_form(admin_client: Client, ids: dict[str, int], nonsense: str) -> None:
    """Each field of each form, also where the number of fields is the nonsense."""
    for path, fields in WRITTEN.items():
        for field in fields:
            response = admin_client.post(
                path.format(**ids),
                f"{field}={nonsense}",
                content_type="application/x-www-form-urlencoded",
            )
            assert response.status_code in (200, 302, 400, 404, 413, 422), (path, field)
            assert response.status_code == 302 or _says_something(response.content)
    assert Provider.objects.filter(origin=Origin.OWN).count() == 1


@with_nonsense
def test_in_the_path(admin_client: Client, ids: dict[str, int], nonsense: str) -> None:
    """Nothing is there, and the page says so."""
    for path in PATHS:
        for ask in (admin_client.get, admin_client.post):
            response = ask(path.format(nonsense.replace("&", "%26")))
            assert response.status_code in (400, 404, 405), (path, ask)
            assert _says_something(response.content)


def _says_something(page: bytes) -> bool:
    """Whether there are sentences on it, not an empty answer."""
    return len(re.sub(r"<[^>]+>|\s+", " ", page.decode()).split()) > 10
