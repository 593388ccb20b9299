"""Each refusal says why and how to go on: to people, to htmx, to programs."""

from __future__ import annotations

import json

import pytest
from django.core.exceptions import BadRequest
from django.test import AsyncClient, Client, RequestFactory
from pytest_django import DjangoAssertNumQueries

from freellm_site.error_pages import bad_request, server_error

pytestmark = pytest.mark.django_db
JSON = {"Accept": "application/json"}
HTMX = {"HX-Request": "true"}


def test_a_missing_page_is_said_in_the_frame(viewer_client: Client) -> None:
    """Who is signed in keeps the navigation."""
    response = viewer_client.get("/nothing/")
    assert response.status_code == 404
    assert "Nothing is at this address." in response.text
    assert 'aria-label="Main"' in response.text


def test_a_stranger_gets_a_plain_page(client: Client) -> None:
    """No navigation for who could not follow it, no table of addresses for anyone."""
    response = client.get("/nothing/")
    assert response.status_code == 404
    assert 'aria-label="Main"' not in response.text
    assert "resolver" not in response.text


def test_htmx_gets_a_toast(viewer_client: Client) -> None:
    """A refusal never takes the place of what was typed."""
    response = viewer_client.get("/nothing/", headers=HTMX)
    assert response["HX-Reswap"] == "none"
    assert json.loads(response["HX-Trigger"])["toast"]["text"] == "Nothing is at this address."


def test_programs_get_json(viewer_client: Client) -> None:
    """The same words, in a shape a program reads."""
    response = viewer_client.get("/nothing/", headers=JSON)
    assert response.json()["error"]["status"] == 404


@pytest.mark.parametrize("address", ["/?q=%00", "/?q=%ff%fe", "/%00/", "/styleguide/?a=b%00c"])
def test_a_broken_address_is_refused(address: str, viewer_client: Client) -> None:
    """NUL bytes and broken UTF-8 are named before anything reads them."""
    response = viewer_client.get(address)
    assert response.status_code in {400, 404}
    assert response.status_code == 400 or "%ff" not in address
    assert "<h1>" in response.text


async def test_async_pages_refuse_alike(operator_async_client: AsyncClient) -> None:
    """The frame around a refusal reads the database without blocking the loop."""
    assert (await operator_async_client.get("/styleguide/?q=%00")).status_code == 400
    assert (await operator_async_client.post("/styleguide/")).status_code == 405


def test_a_wrong_method_is_explained(viewer_client: Client) -> None:
    """The answer names what the address does answer."""
    response = viewer_client.get("/sign-out/")
    assert response.status_code == 405
    assert response["Allow"] == "POST"
    assert "does not answer GET, only POST" in response.text


def test_a_form_without_its_token_is_explained(client: Client) -> None:
    """The reason and the way on, not the word CSRF alone."""
    strict = Client(enforce_csrf_checks=True)
    response = strict.post("/sign-in/", {"username": "mara", "password": "x"})
    assert response.status_code == 403
    assert "sent no cookie" in response.text
    assert "Reload the page" in response.text


def test_too_much_at_once_is_told_its_limit(viewer_client: Client) -> None:
    """The limit is named, and that nothing typed is lost."""
    response = viewer_client.post("/account/", {"username": "x" * 5_000_000})
    assert response.status_code == 413
    assert "larger than 4.2\u00a0MB" in response.text
    assert "Shorten it" in response.text


def test_too_many_fields_are_refused(viewer_client: Client) -> None:
    """No page here has a thousand fields."""
    response = viewer_client.post("/account/", {f"f{n}": "" for n in range(1_100)})
    assert response.status_code == 400
    assert "more fields than any page" in response.text


def test_an_unknown_host_is_told_the_setting(client: Client) -> None:
    """The remedy is ALLOWED_HOSTS."""
    response = client.get("/sign-in/", headers={"Host": "elsewhere.example"})
    assert response.status_code == 400
    assert "ALLOWED_HOSTS" in response.text


def test_reasons_are_escaped(rf: RequestFactory) -> None:
    """What came from outside is text."""
    response = bad_request(rf.get("/"), BadRequest("<b>no</b>"))
    assert "&lt;b&gt;no&lt;/b&gt;" in response.text


def test_a_failure_needs_no_database(
    rf: RequestFactory, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """The page of last resort stands alone; a program gets JSON."""
    with django_assert_num_queries(0):
        page = server_error(rf.get("/"))
        answer = server_error(rf.get("/", headers=JSON))
    assert page.status_code == answer.status_code == 500
    assert "The server failed" in page.text
    assert json.loads(answer.content)["error"]["status"] == 500
