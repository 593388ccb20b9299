"""Coming in by password or link, and going out."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from freellm_site.accounts import throttle
from freellm_site.accounts.models import SignInLink, User
from freellm_site.accounts.services import first_sign_in_link
from freellm_site.start import ground
from tests.factories import make_user
from tests.servers import RedisServer

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as TestResponse

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"


def try_password(
    client: Client, name: str = "mara", password: str = PASSWORD, to: str = ""
) -> TestResponse:
    return client.post("/sign-in/", {"username": name, "password": password, "next": to})


def is_signed_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


def test_the_right_password_lets_in(client: Client) -> None:
    """Name and password lead to the page that was asked for."""
    make_user(username="mara", password=PASSWORD)
    response = try_password(client, to="/users/?q=a")
    assert (response.status_code, response["Location"]) == (302, "/users/?q=a")
    assert is_signed_in(client)


def test_a_wrong_password_is_refused_in_place(client: Client) -> None:
    """The name stays typed, the password does not, and nothing tells which was wrong."""
    make_user(username="mara", password=PASSWORD)
    response = try_password(client, password="not this one")
    assert response.status_code == 422
    assert "do not fit together" in response.text
    assert 'value="mara"' in response.text
    assert "not this one" not in response.text


@pytest.mark.parametrize(
    "elsewhere", ["https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)"]
)
def test_nobody_is_sent_elsewhere(client: Client, elsewhere: str) -> None:
    """A `next` beyond this site is ignored."""
    make_user(username="mara", password=PASSWORD)
    assert try_password(client, to=elsewhere)["Location"] == "/"


def test_guessing_is_slowed_down(client: Client) -> None:
    """The eleventh attempt within five minutes waits, right password or not."""
    make_user(username="mara", password=PASSWORD)
    for _ in range(throttle.ATTEMPTS):
        assert try_password(client, password="wrong").status_code == 422
    response = try_password(client)
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= throttle.WINDOW_S
    assert "Try again in 5 minutes" in response.text
    assert try_password(client, name="someone else").status_code == 422


def test_success_clears_the_count(client: Client) -> None:
    """Mistyping now and then never adds up."""
    make_user(username="mara", password=PASSWORD)
    for _ in range(throttle.ATTEMPTS - 1):
        try_password(client, password="wrong")
    assert try_password(client).status_code == 302
    assert try_password(Client(), password="wrong").status_code == 422


def test_without_redis_people_still_come_in(client: Client, redis_server: RedisServer) -> None:
    """The throttle fails open, and the page says that Redis is away."""
    make_user(username="mara", password=PASSWORD)
    redis_server.stop()
    assert try_password(client).status_code == 302
    assert is_signed_in(client)


@pytest.mark.parametrize("name", ["a\x00b", "x" * 5_000, "\U0001f600"])
def test_odd_names_are_refused_in_words(client: Client, name: str) -> None:
    """NUL bytes, absurd lengths and strangers end in an error in place."""
    assert try_password(client, name=name).status_code == 422


def test_broken_utf8_in_the_form_is_no_failure(client: Client) -> None:
    """What is no text fits no name."""
    body = b"username=%ff%fe&password=x"
    response = client.post("/sign-in/", body, content_type="application/x-www-form-urlencoded")
    assert response.status_code == 422


def test_who_is_signed_in_goes_on(viewer_client: Client) -> None:
    """The sign-in page is for who is not."""
    assert viewer_client.get("/sign-in/?next=/account/")["Location"] == "/account/"


def test_signing_out_takes_a_post(viewer_client: Client) -> None:
    """A link alone signs nobody out."""
    assert viewer_client.get("/sign-out/").status_code == 405
    assert is_signed_in(viewer_client)
    assert viewer_client.post("/sign-out/").status_code == 302
    assert not is_signed_in(viewer_client)


def test_an_expired_session_moves_the_whole_page(client: Client) -> None:
    """A fragment is never replaced by a sign-in form."""
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/users/?q=a"}
    response = client.get("/account/", headers=headers, follow=True)
    assert response["HX-Redirect"] == "/sign-in/?next=%2Fusers%2F%3Fq%3Da"
    assert response.content == b""


def test_a_link_is_used_by_post_only(client: Client) -> None:
    """Programs that look at links do not use them up."""
    token = SignInLink.objects.issue(make_user(username="mara"))
    for _ in range(2):
        page = client.get(f"/sign-in/{token}/")
        assert page.status_code == 200
        assert "Sign in as mara" in page.text
    assert not is_signed_in(client)
    assert client.post(f"/sign-in/{token}/")["Location"] == "/welcome/"
    assert is_signed_in(client)


def test_a_link_works_once(client: Client) -> None:
    """The second use is told that the link is spent."""
    token = SignInLink.objects.issue(make_user())
    client.post(f"/sign-in/{token}/")
    for again in (Client().post(f"/sign-in/{token}/"), Client().get(f"/sign-in/{token}/")):
        assert again.status_code == 410
        assert "no longer works" in again.text


def test_a_second_tab_is_told_that_one_is_in() -> None:
    """The same link in two tabs: the second is led on, whether it reloads or sends its form."""
    client = Client(enforce_csrf_checks=True)
    path = f"/sign-in/{SignInLink.objects.issue(make_user(username='mara'))}/"
    field = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get(path).text)
    assert field
    form = {"csrfmiddlewaretoken": field[1]}
    assert client.post(path, form).status_code == 302
    for second in (client.post(path, form), client.get(path), client.post("/sign-in/", form)):
        assert "You are signed in already" in second.text
        assert 'href="/"' in second.text
        assert "mara" in second.text


def test_the_welcome_says_what_not_now_means(client: Client) -> None:
    """Without a password only a new link leads back."""
    client.post(f"/sign-in/{SignInLink.objects.issue(make_user())}/")
    assert "only way back in is a new link" in client.get("/welcome/").text


def test_an_old_link_does_not_open(client: Client) -> None:
    """After a day a link is spent, used or not."""
    token = SignInLink.objects.issue(make_user())
    SignInLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.post(f"/sign-in/{token}/").status_code == 410


def test_a_new_link_replaces_the_old(client: Client) -> None:
    """Only the newest link opens."""
    user = make_user()
    old, new = SignInLink.objects.issue(user), SignInLink.objects.issue(user)
    assert client.get(f"/sign-in/{old}/").status_code == 410
    assert client.get(f"/sign-in/{new}/").status_code == 200


def test_a_deactivated_user_has_no_way_in(client: Client) -> None:
    """Neither an earlier link nor the password."""
    user = make_user(username="mara", password=PASSWORD)
    token = SignInLink.objects.issue(user)
    User.objects.update(is_active=False)
    assert client.post(f"/sign-in/{token}/").status_code == 410
    assert try_password(client).status_code == 422


def test_who_has_a_password_skips_the_welcome(client: Client) -> None:
    """A link for a forgotten password leads on."""
    token = SignInLink.objects.issue(make_user(password=PASSWORD))
    assert client.post(f"/sign-in/{token}/")["Location"] == "/"


def test_the_first_link_is_for_a_new_admin(client: Client) -> None:
    """It is made again until an admin has come in, and never after."""
    first, second = (first_sign_in_link("http://here.example:8000/") for _ in range(2))
    assert first
    assert second
    assert re.fullmatch(r"http://here\.example:8000/sign-in/[\w-]+/", second)
    admin = User.objects.get()
    assert (admin.username, admin.role, admin.has_usable_password()) == ("admin", "admin", False)
    client.post(second.removeprefix("http://here.example:8000"))
    assert first_sign_in_link("http://here.example:8000") is None


def test_the_first_admin_takes_a_free_name() -> None:
    """Someone else may be called admin already."""
    make_user(username="Admin", role="viewer")
    first_sign_in_link("http://here.example")
    assert User.objects.get(role="admin").username == "admin2"


def test_the_command_prints_a_link(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever has the server gets in, as anyone."""
    make_user(username="mara")
    call_command("signin_link", "mara")
    path = re.search(r"/sign-in/\S+", capsys.readouterr().out)
    assert path
    assert "Sign in as mara" in client.get(path[0]).text


def test_the_command_knows_the_running_servers_address(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever PORT is where the command runs."""
    settings.VAR_DIR = tmp_path
    make_user(username="mara")
    with ground.take_lock(tmp_path) as lock:
        ground.tell_address(lock, "http://here.example:9001")
        call_command("signin_link", "mara")
    assert capsys.readouterr().out.startswith("http://here.example:9001/sign-in/")


@pytest.mark.parametrize("name", ["nobody", "gone"])
def test_the_command_refuses_in_words(name: str) -> None:
    """A name that is unknown or deactivated gets no link."""
    User.objects.filter(pk=make_user(username="gone").pk).update(is_active=False)
    with pytest.raises(CommandError, match="/users/"):
        call_command("signin_link", name)


@pytest.mark.parametrize(
    "wanted", ["abc", "0", "1e99", "🐦", "//evil.example", "https://evil.example"]
)
def test_an_odd_next_leads_to_the_overview(wanted: str, viewer_client: Client) -> None:
    """Neither a view's name nor another site: whoever is signed in goes to the overview."""
    assert viewer_client.get("/sign-in/", {"next": wanted})["Location"] == "/"


def test_a_broken_current_address_is_no_error(client: Client) -> None:
    """What htmx says of the page may be anything."""
    headers = {"HX-Request": "true", "HX-Current-URL": "http://[::"}
    assert client.get("/sign-in/", headers=headers)["HX-Redirect"] == "/sign-in/?next=%2F"
