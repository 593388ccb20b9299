"""The frame of every page: who sees which links, what it costs, what it says about Redis."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from freellm_site.lib.redis_watch import redis_watch
from tests.servers import RedisServer

pytestmark = pytest.mark.django_db
BASE_DIR = Path(settings.BASE_DIR)


def test_links_follow_the_role(viewer_client: Client, admin_client: Client) -> None:
    """Only admins are shown the way to users."""
    assert 'href="/users/"' in admin_client.get("/account/").text
    assert 'href="/users/"' not in viewer_client.get("/account/").text


@pytest.mark.parametrize(("path", "current"), [("/users/1/", "/users/"), ("/styleguide/", None)])
def test_the_page_one_is_on_is_marked(path: str, current: str | None, admin_client: Client) -> None:
    """A page below another marks the one above, in the rail and in the phone's list."""
    marked = re.findall(r'href="([^"]+)" aria-current="page"', admin_client.get(path).text)
    assert set(marked) == {current or path}


def test_strangers_see_no_navigation(client: Client) -> None:
    """The sign-in page leads nowhere else."""
    page = client.get("/sign-in/").text
    assert 'aria-label="Main"' not in page
    assert "/users/" not in page


def test_the_frame_is_cheap(
    viewer_client: Client,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    """Once the counts are kept, the user is all that is read."""
    viewer_client.get("/styleguide/")
    with django_assert_num_queries(1):
        viewer_client.get("/styleguide/")


def test_every_page_says_when_redis_is_away(
    viewer_client: Client, redis_server: RedisServer
) -> None:
    """One line under the title, until it is over."""
    assert "Redis is away" not in viewer_client.get("/styleguide/").text.split("Messages")[0]
    redis_server.stop()
    redis_watch.forget()
    page = viewer_client.get("/account/").text
    assert re.search(r"Redis is away since <time[^>]*>\d\d:\d\d", page)
    assert "Redis away: limits per process" in page


def test_scripts_and_styles_are_files(viewer_client: Client) -> None:
    """Nothing on a page needs an exception from the content policy."""
    response = viewer_client.get("/styleguide/")
    policy = response["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", response.text)


def test_forms_and_htmx_carry_the_token(viewer_client: Client) -> None:
    """With htmx the body sends the CSRF token, forms send it from their field."""
    page = viewer_client.get("/account/").text
    assert re.search(r"""<body hx-headers='{"X-CSRFToken": "\w+"}'>""", page)
    assert page.count('method="post"') == page.count("csrfmiddlewaretoken")


def test_raw_colours_and_sizes_are_in_the_tokens_only() -> None:
    """A component takes them from there, so that one change holds everywhere."""
    raw = re.compile(r"#[0-9a-f]{3,8}\b|\b(?:oklch|rgb|hsl)\(|\b[1-9]\d*(?:px|rem)\b")
    not_a_size = re.compile(r"/\*.*?\*/|@(?:media|container)[^{]*|url\([^)]*\)", flags=re.DOTALL)
    for sheet in (BASE_DIR / "static" / "css").glob("*.css"):
        if sheet.name == "tokens.css":
            continue
        css = not_a_size.sub("", sheet.read_text())
        assert not raw.findall(css), sheet.name


def test_every_token_that_is_used_exists() -> None:
    """A misspelt token would silently draw nothing."""
    sheets = {path.name: path.read_text() for path in (BASE_DIR / "static" / "css").glob("*.css")}
    known = set(re.findall(r"(--[\w-]+):", "".join(sheets.values())))
    for name, css in sheets.items():
        assert set(re.findall(r"var\((--[\w-]+)\)", css)) <= known, name


def test_every_component_is_linked() -> None:
    """A style sheet that no page links is dead, one that is missing breaks the page."""
    templates = "".join(p.read_text() for p in (BASE_DIR / "templates").rglob("*.html"))
    linked = set(re.findall(r"css/([\w-]+\.css)", templates))
    assert linked == {path.name for path in (BASE_DIR / "static" / "css").glob("*.css")}


def test_every_icon_that_is_named_exists() -> None:
    """A misspelt icon would silently draw nothing."""
    sprite = (BASE_DIR / "static" / "img" / "icons.svg").read_text()
    known = set(re.findall(r'id="i-([\w-]+)"', sprite))
    for page in (BASE_DIR / "templates").rglob("*.html"):
        assert set(re.findall(r'{% icon "([\w-]+)"', page.read_text())) <= known, page.name
