"""The tuning page: levels, preview, saving, mistakes in words, undo, history."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from gateway.policy import Scope
from monitoring.models import Tuning, TuningChange
from monitoring.tuning.changes import Edit, Why, overrides_in_force, save, version_in_force
from tests.factories import make_offer, make_provider
from tests.servers import RedisServer

pytestmark = pytest.mark.django_db
PAGE = "/monitoring/tuning/"
WAIT, CAP, BASE = "limiter.max_wait_s", "retry.cap_s", "retry.base_s"


def text_of(answer: Any) -> str:
    """What a person reads, on one line."""
    bare = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return re.sub(r"\s+", " ", unescape(bare))


def send(client: Client, to: str, **fields: str | int) -> Any:
    typed = {name.replace("__", "."): value for name, value in fields.items()}
    return client.post(reverse(f"monitoring:tuning-{to}"), {"seen": version_in_force(), **typed})


def set_(name: str, value: float | None, scope: Scope = Scope()) -> TuningChange:  # noqa: B008 - frozen
    return save([Edit(scope, name, value)], Why("mara", "it was slow"), version_in_force())


def field(answer: Any, name: str) -> str:
    """The input of a field as it stands in the page."""
    found = re.search(
        rf'<(?:input|select)[^>]*name="{re.escape(name)}"[^>]*>', answer.content.decode()
    )
    assert found, name
    return unescape(found.group())


def test_each_field_has_its_help_bounds_and_unit(viewer_client: Client) -> None:
    """From the policy's own fields; a viewer reads them and can change none."""
    answer = viewer_client.get(PAGE)
    told = text_of(answer)
    assert (
        "Longest wait here Wait this long for a quota before the next target is tried. 0 to 300."
        in told
    )
    assert "built in 5 s" in told
    assert 'placeholder="5"' in field(answer, WAIT)
    assert '<fieldset class="stack" id="settings" disabled>' in answer.content.decode()
    assert "Apply everywhere" not in told


def test_the_chain_says_where_a_value_comes_from(admin_client: Client) -> None:
    """Each level that says something; the nearest wins. A field nobody reads there is not shown."""
    offer = make_offer(make_provider(slug="acme", name="Acme"), external_id="wren/8b")
    set_(WAIT, 7)
    set_(WAIT, 8, Scope("acme"))
    answer = admin_client.get(PAGE, {"provider": "acme", "model": offer.external_id})
    assert "built in 5 s default 7 s acme 8 s" in text_of(answer)
    assert "wren/8b on Acme" in text_of(answer)
    assert 'name="cache.memory_bytes"' not in answer.content.decode()
    assert 'name="cache.memory_bytes"' in admin_client.get(PAGE).content.decode()


def test_an_offer_s_published_limits_are_shown(admin_client: Client) -> None:
    """So that one knows what one changes."""
    offer = make_offer(make_provider(slug="acme"), limits={"rpm": 30})
    answer = admin_client.get(PAGE, {"provider": "acme", "model": offer.external_id})
    assert "published 30 requests" in text_of(answer)


def test_a_preview_changes_nothing(admin_client: Client) -> None:
    """It names old and new in force, also for a person without script, and keeps what was typed."""
    answer = send(admin_client, "preview", limiter__max_wait_s="7,5", why="because")
    assert "1 change, not applied Longest wait here 5 s → 7.5 s" in text_of(answer)
    assert 'value="7,5"' in field(answer, WAIT)
    assert 'value="because"' in answer.content.decode()
    assert overrides_in_force() == {}
    fragment = admin_client.post(
        reverse("monitoring:tuning-preview"), {WAIT: "7"}, headers={"HX-Request": "true"}
    )
    assert fragment.content.decode().count("<h1>") == 0
    assert "Longest wait here 5 s → 7 s" in text_of(fragment)


@pytest.mark.django_db(transaction=True)
def test_saving_applies_and_says_so(admin_client: Client) -> None:
    """With who and why; what was not touched stays."""
    make_provider(slug="acme")
    set_(CAP, 9)
    answer = send(
        admin_client, "save", provider="acme", limiter__max_wait_s="7", why="slow answers"
    )
    assert answer.headers["Location"] == f"{PAGE}?provider=acme"
    assert overrides_in_force() == {Scope(): {CAP: 9}, Scope("acme"): {WAIT: 7}}
    page = text_of(admin_client.get(answer.headers["Location"]))
    assert "Saved. It holds in every process within a second." in page
    assert "“slow answers”" in page


@pytest.mark.django_db(transaction=True)
def test_an_empty_field_follows_the_level_above(admin_client: Client) -> None:
    """Cleared, or by its button, which needs no script."""
    set_(WAIT, 7)
    preview = send(admin_client, "preview", reset=WAIT, limiter__max_wait_s="7")
    assert "7 s → 5 s follows the level above" in text_of(preview)
    send(admin_client, "save", limiter__max_wait_s="")
    assert overrides_in_force() == {}


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({WAIT: "soon"}, "“soon” is not a number of s."),
        ({WAIT: "301"}, "“Longest wait here” must lie between 0 and 300 s."),
        ({WAIT: "50"}, "must not be above “Longest wait at the last target” (20 s)"),
        ({"breaker.probes": "1.5"}, "must be a whole number of calls"),
        ({"retry.hedging": "maybe"}, "“maybe” is not yes or no."),
        ({WAIT: "7", "why": "x" * 301}, "Say why in at most 300 characters."),
    ],
)
def test_a_mistake_is_said_and_nothing_typed_is_lost(
    admin_client: Client, typed: dict[str, str], words: str
) -> None:
    """Beside the field; nothing is saved, not even what was right."""
    sent = {"seen": 0, CAP: "3.5", **typed}
    answer = admin_client.post(reverse("monitoring:tuning-save"), sent)
    assert answer.status_code == 422
    assert words in text_of(answer)
    assert 'value="3.5"' in field(answer, CAP)
    assert not Tuning.objects.exists()


def test_of_two_admins_the_second_is_told(admin_client: Client) -> None:
    """By whom and to what it was changed meanwhile; applying it again is meant then."""
    seen = version_in_force()
    set_(WAIT, 6)
    answer = send(admin_client, "save", seen=seen, limiter__max_wait_s="7")
    assert answer.status_code == 422
    assert "mara changed “Longest wait here” from as above to 6 s" in text_of(answer)
    assert 'value="7"' in field(answer, WAIT)
    assert overrides_in_force() == {Scope(): {WAIT: 6}}
    again = re.search(r'name="seen" value="(\d+)"', answer.content.decode())
    assert again
    send(admin_client, "save", seen=again[1], limiter__max_wait_s="7")
    assert overrides_in_force() == {Scope(): {WAIT: 7}}


@pytest.mark.django_db(transaction=True)
def test_undo_and_what_it_refuses(admin_client: Client) -> None:
    """One click takes a change back; one that was overtaken says what to undo first."""
    first, second = set_(WAIT, 6), set_(WAIT, 7)
    refused = admin_client.post(reverse("monitoring:tuning-undo", args=[first.pk]), follow=True)
    assert "“Longest wait here” was changed again since. Undo that first." in text_of(refused)
    admin_client.post(reverse("monitoring:tuning-undo", args=[second.pk]))
    assert overrides_in_force() == {Scope(): {WAIT: 6}}
    history = text_of(admin_client.get(reverse("monitoring:tuning-history")))
    assert f"takes back change {second.pk}: it was slow" in history


def test_a_long_history_has_pages(
    admin_client: Client, django_assert_max_num_queries: object
) -> None:
    """And costs no query per change."""
    for value in range(6, 41):
        set_(WAIT, 1 + value % 7)
    with django_assert_max_num_queries(9):  # type: ignore[operator]  # pytest-django's fixture
        first = admin_client.get(reverse("monitoring:tuning-history"))
    second = admin_client.get(reverse("monitoring:tuning-history"), {"page": 2})
    assert first.content.decode().count("Undo the change of") == 30
    assert second.content.decode().count("Undo the change of") == 5


def test_the_page_costs_few_queries(
    admin_client: Client, django_assert_max_num_queries: object
) -> None:
    """However many providers, offers and changes there are."""
    acme = make_provider(slug="acme")
    for number in range(60):
        make_provider()
        make_offer(acme, external_id=f"m-{number:02}")
    set_(WAIT, 7, Scope("acme", "m-59"))
    with django_assert_max_num_queries(22):  # type: ignore[operator]  # as above
        answer = admin_client.get(PAGE, {"provider": "acme"})
    shown = text_of(answer)
    assert "48 more" in shown
    whole = admin_client.get(PAGE, {"provider": "acme", "all": "1"})
    assert whole.content.decode().count("model=m-") == 60


@pytest.mark.parametrize(
    "query", [{"provider": "nobody"}, {"provider": "acme", "model": "none"}, {"model": "x"}]
)
def test_a_level_that_is_not_there(admin_client: Client, query: dict[str, str]) -> None:
    """Neither shown nor written."""
    make_provider(slug="acme")
    assert admin_client.get(PAGE, query).status_code == 404
    sent: dict[str, str | int] = {**query, WAIT: "7", "seen": 0}
    assert admin_client.post(reverse("monitoring:tuning-save"), sent).status_code == 404
    assert not Tuning.objects.exists()


def test_a_field_of_another_version_is_named(admin_client: Client) -> None:
    """It was set before an update that dropped it; it must not keep the others from holding."""
    set_(WAIT, 7)
    Tuning.objects.create(name="limiter.of_old", value=1)
    assert "This version does not know limiter.of_old." in text_of(admin_client.get(PAGE))
    assert overrides_in_force() == {Scope(): {WAIT: 7}}


@pytest.mark.django_db(transaction=True)
def test_without_redis_it_is_saved_and_said(
    admin_client: Client, redis_server: RedisServer
) -> None:
    """The page stands, and says what is known."""
    redis_server.kill()
    answer = send(admin_client, "save", limiter__max_wait_s="7")
    page = text_of(admin_client.get(answer.headers["Location"]))
    assert "Saved. Redis is away" in page
    assert "it is not known which process holds what" in page
    assert overrides_in_force() == {Scope(): {WAIT: 7}}
