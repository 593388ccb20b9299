"""The front page: its first words are the answer, and every warm mark leads to its cause."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from catalog.models import (
    Change,
    ChangeKind,
    HeldList,
    HeldState,
    KeyVerdict,
    Origin,
    ProviderKey,
    Refresh,
    RefreshState,
)
from freellm_site.accounts.models import User
from gateway.types import Outcome
from monitoring.attention import AT_MOST, attention
from monitoring.getting_started import DISMISSED_COOKIE, WATCHED_COOKIE
from monitoring.health import ProviderHealth, State
from monitoring.overview import headline
from tests.factories import make_call, make_offer, make_provider, make_user
from tests.servers import RedisServer

pytestmark = pytest.mark.django_db


def page_of(client: Client) -> str:
    response = client.get("/")
    assert response.status_code == 200
    return response.content.decode()


def health(name: str, state: State, **fields: object) -> ProviderHealth:
    values = {"is_simulated": False, "quantity": None, **fields}
    return ProviderHealth(slug=name.lower(), name=name, state=state, **values)  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    ("states", "has_calls", "said"),
    [
        ([], False, "No provider can be called yet"),
        ([State.ANSWERS], False, "No calls yet: try a prompt"),
        ([State.ANSWERS], True, "1 of 1 provider answers now"),
        ([State.ANSWERS, State.PROBING, State.REFUSING], True, "2 of 3 providers answer now"),
        ([State.WAITING, State.REFUSING], True, "0 of 2 providers answer now"),
        (
            [State.UNKNOWN, State.UNKNOWN],
            True,
            "2 providers may be called, how they stand is not known",
        ),
    ],
)
def test_the_headline_is_the_answer(states: list[State], has_calls: bool, said: str) -> None:
    """Can I call something now?"""
    healths = [health(f"P{number}", state) for number, state in enumerate(states)]

    assert headline(healths, has_calls=has_calls) == said


def test_simulated_providers_are_called_so() -> None:
    """Nobody should take the simulator for the world."""
    healths = [health("Sim", State.ANSWERS, is_simulated=True)]

    assert headline(healths, has_calls=True) == "1 of 1 simulated provider answers now"


def test_an_empty_house_leads_to_its_first_steps(viewer_client: Client) -> None:
    """No provider, no call: what will be here, and the one action that makes it appear."""
    page = page_of(viewer_client)

    assert "Choose a provider" not in page
    assert "<h1>No provider can be called yet</h1>" in page
    assert "Getting started" in page
    assert "Nobody to call yet" in page
    assert "No calls yet" in page
    assert "data-chart data-figure" not in page


def test_shows_what_is_left_and_what_happened(viewer_client: Client) -> None:
    """A tank per provider, figures of today, a row for each provider with calls."""
    sparrow = make_provider(slug="sparrow", name="Sparrow Cloud")
    make_offer(provider=sparrow, limits={"rpd": 1_000})
    make_offer(provider=make_provider(slug="wagtail", name="Wagtail"), limits={})
    make_call(provider="sparrow")
    make_call(provider="sparrow", outcome=Outcome.TIMEOUT)
    page = page_of(viewer_client)

    assert "2 of 2 providers answer now</span></h1>" in page
    assert "of 1\u202f000 req" in page
    assert page.count("of 1\u202f000 req") == 2  # the tank and the table write it alike
    assert "in 2 calls that went out" in page
    assert 'class="tank off"' in page
    assert "not reported" in page
    assert "1 failed after all attempts" in page
    assert "Nothing: every provider that may be called answers." in page


def test_without_redis_it_says_what_it_does_not_know(
    viewer_client: Client, redis_server: RedisServer
) -> None:
    """Redis away: the page is there, levels are not made up."""
    make_offer(provider=make_provider(slug="sparrow", name="Sparrow"), limits={"rpd": 1_000})
    make_call(provider="sparrow")
    redis_server.kill()
    try:
        page = page_of(viewer_client)
    finally:
        redis_server.ensure_running()

    assert "how they stand is not known" in page
    assert "Redis is away" in page
    assert "of 1\u202f000 req" not in page


def test_names_at_most_four_things_the_gravest_first() -> None:
    """Refusing before used up before half-open; beyond four nobody reads."""
    ProviderKey.objects.create(
        provider=make_provider(),
        label="mine",
        secret_encrypted="x",
        fingerprint="x",
        verdict=KeyVerdict.WRONG_KEY,
    )
    healths = [
        health("Tried", State.PROBING),
        health("Empty", State.WAITING, wait_s=12.0),
        health("Down", State.REFUSING, reason="503 overloaded", wait_s=30.0),
        health("Fine", State.ANSWERS),
    ]
    lines = attention(healths)

    titles = [line.title for line in lines]
    assert len(lines) == AT_MOST
    assert titles[:2] == ["Down is not asked now", "Empty is used up"]
    assert titles[3] == "Tried is being tried again"
    assert "wrong key" in titles[2]
    assert "503 overloaded" in lines[0].text
    assert lines[0].url == "/monitoring/calls/?provider=down&outcome=failed"


def test_names_a_failed_refresh_until_one_succeeds() -> None:
    """Only the last one counts."""
    earlier = timezone.now() - timedelta(hours=1)
    failed = Refresh.objects.create(
        state=RefreshState.FAILED, created_at=earlier, detail="No network."
    )
    assert [line.text for line in attention([])] == ["No network."]
    assert attention([])[0].url == f"/catalog/refreshes/{failed.pk}/"

    Refresh.objects.create(state=RefreshState.DONE)
    assert attention([]) == []


def test_a_held_list_asks_for_a_decision() -> None:
    """Until somebody applies or dismisses it, on its provider's page."""
    provider = make_provider(name="Wren Cloud")
    held = HeldList.objects.create(provider=provider, digest="d", entries=[], lost=3, before=5)
    (line,) = attention([])
    assert line.title == "The list of Wren Cloud waits for a decision"
    assert (line.text, line.url) == (
        "It lacks 3 of 5 models, so it was not applied.",
        provider.get_absolute_url(),
    )
    HeldList.objects.filter(pk=held.pk).update(state=HeldState.DISMISSED)
    assert attention([]) == []


def test_names_the_simulator_while_it_stands_in(
    viewer_client: Client, admin_client: Client
) -> None:
    """Every figure comes from the simulator then, and one form changes that."""
    provider = make_provider(slug="sim-x", name="Simulator X", origin=Origin.SIMULATOR)
    make_offer(provider=provider)

    page = page_of(viewer_client)
    assert "Answers come from the simulator" in page
    assert "<h1>No calls yet</h1>" in page
    assert "Add a key" not in page
    assert ">Add a key</a>" in page_of(admin_client)


def test_shows_what_changed_in_the_catalog(viewer_client: Client) -> None:
    """New, gone and changed offers of this week, newest first."""
    offer = make_offer()
    for kind, name in ((ChangeKind.ADDED, "New Model"), (ChangeKind.GONE, "Old Model")):
        Change.objects.create(
            kind=kind,
            provider=offer.provider,
            external_id="x",
            model_name=name,
            offer=offer if kind == ChangeKind.ADDED else None,
        )
    Change.objects.create(
        kind=ChangeKind.ADDED,
        provider=offer.provider,
        external_id="x",
        model_name="Ancient",
        at=timezone.now() - timedelta(days=30),
    )
    page = page_of(viewer_client)

    assert "2 this week" in page
    assert page.index("Old Model") < page.index("New Model")
    assert "Ancient" not in page


def test_first_steps_are_ticked_by_what_happened(admin_client: Client) -> None:
    """Password, prompt, key, watching: each from the real state; all done, the list goes."""
    make_offer(provider=make_provider())
    admin_client.cookies[WATCHED_COOKIE] = "yes"
    page = page_of(admin_client)
    assert page.count('<li class="done">') == 2
    assert '<a href="/account/">Set your password</a>' in page

    make_call()
    user = admin_client.session["_auth_user_id"]
    _set_password(admin_client, int(user))
    assert "Getting started" not in page_of(admin_client)


STEPS = ("Choose a password", "<b>Try a prompt", "<b>Add a key", "Watch the calls")


@pytest.mark.parametrize(
    ("role", "shown"), [("viewer", "03"), ("operator", "013"), ("admin", "0123")]
)
def test_first_steps_fit_the_role(client: Client, role: str, shown: str) -> None:
    """Nobody is told to do what answers 403, nor to do again what is done."""
    user = make_user(role=role)
    client.force_login(user)
    page = page_of(client)
    assert [step in page for step in STEPS] == [str(number) in shown for number in range(4)]

    _set_password(client, user.pk)
    assert "Choose a password" not in page_of(client)


def _set_password(client: Client, pk: int) -> None:
    user = User.objects.get(pk=pk)
    user.set_password("a-long-enough-word")
    user.save()
    client.force_login(user)


def test_first_steps_can_be_hidden(viewer_client: Client) -> None:
    """By a POST, for this browser."""
    assert viewer_client.get("/getting-started/dismiss/").status_code == 405
    response = viewer_client.post("/getting-started/dismiss/")

    assert response.headers["Location"] == "/"
    assert viewer_client.cookies[DISMISSED_COOKIE].value
    assert "Getting started" not in page_of(viewer_client)


def test_offers_only_what_the_role_may_do(viewer_client: Client, admin_client: Client) -> None:
    """A viewer sees no button that would answer 403."""
    make_call()
    viewers, admins = page_of(viewer_client), page_of(admin_client)

    assert "Refresh catalog" not in viewers
    assert "Refresh catalog" in admins
    assert "Add a key</a>" not in viewers


def test_reads_the_page_in_few_queries(
    viewer_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    """As many for twenty providers as for one."""
    for number in range(20):
        provider = make_provider(slug=f"bird-{number}", name=f"Bird {number}")
        make_offer(provider=provider, limits={"rpm": 5})
        make_call(provider=provider.slug)
    page_of(viewer_client)
    with django_assert_max_num_queries(25):
        page_of(viewer_client)


HTMX = {"HX-Request": "true"}


def poll_of(text: str) -> str:
    """The address that a page polls."""
    found = re.search(r'id="overview-poll"[^>]* hx-get="([^"]+)"', text)
    assert found is not None
    return html.unescape(found[1])


def test_the_page_brings_itself_up_to_date(viewer_client: Client) -> None:
    """Nothing new costs nothing; a call changes figures, table and the chart's numbers."""
    make_call(provider="wagtail")
    address = poll_of(page_of(viewer_client))
    # One of three: at most one quarter of a minute begins meanwhile.
    answers = [viewer_client.get(poll_of(page_of(viewer_client)), headers=HTMX) for _ in range(3)]
    assert 204 in [answer.status_code for answer in answers]
    make_call(provider="plover")
    news = viewer_client.get(address, headers=HTMX)
    text = news.content.decode()
    assert news.status_code == 200
    assert "<html" not in text
    assert 'id="overview-providers" hx-swap-oob="innerHTML"' in text
    assert "plover" in text
    assert '"totals":{"first":"2"' in html.unescape(text)
    assert poll_of(text) != address
    assert "<html" in viewer_client.get(address).content.decode()


def test_a_page_without_a_chart_is_loaded_anew_with_the_first_call(viewer_client: Client) -> None:
    """Parts that are not there cannot be swapped."""
    make_call(at=(timezone.now() - timedelta(days=2)).timestamp())
    text = page_of(viewer_client)
    assert "No calls in the last 24 h" in text
    address = poll_of(text)
    make_call()
    news = viewer_client.get(address, headers=HTMX)
    assert news["HX-Refresh"] == "true"
