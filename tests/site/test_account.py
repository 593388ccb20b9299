"""One's own name and password."""

from __future__ import annotations

import pytest
from django.test import Client

from freellm_site.accounts.models import SignInLink, User
from tests.factories import make_user

pytestmark = pytest.mark.django_db

OLD, NEW = "correct horse battery", "entirely other words"


def by_password(**kwargs: str) -> Client:
    client = Client()
    client.force_login(make_user(password=OLD, **kwargs))
    return client


def by_link(*, password: str | None = None) -> Client:
    client = Client()
    client.post(f"/sign-in/{SignInLink.objects.issue(make_user(password=password))}/")
    return client


def passwords(**changed: str) -> dict[str, str]:
    return {"new_password": NEW, "repeated": NEW, **changed}


def test_the_welcome_keeps_name_and_password() -> None:
    """Who came in by a link comes back by password."""
    client = by_link()
    response = client.post("/welcome/", {"username": "mara", **passwords()})
    assert response["Location"] == "/"
    assert User.objects.get(username="mara").check_password(NEW)
    assert client.get("/account/").status_code == 200


def test_the_welcome_can_be_skipped() -> None:
    """The page offers to go on without."""
    assert '<a class="btn quiet" href="/">Not now</a>' in by_link().get("/welcome/").text


def test_a_poor_choice_is_refused_in_place() -> None:
    """Each field says what is wrong with it, and the name stays typed."""
    make_user(username="Taken")
    response = by_link().post("/welcome/", {"username": "taken", **passwords(repeated="x")})
    assert response.status_code == 422
    assert "Someone has this name already" in response.text
    assert "The two passwords differ" in response.text
    assert 'value="taken"' in response.text


@pytest.mark.parametrize("weak", ["short", "password123", "1" * 2_000])
def test_weak_passwords_are_refused(weak: str) -> None:
    """Too short, too common, absurdly long."""
    response = by_link().post("/account/password/", passwords(new_password=weak, repeated=weak))
    assert response.status_code == 422


def test_the_welcome_is_for_links() -> None:
    """Who came in by password has an account page."""
    assert by_password().get("/welcome/")["Location"] == "/account/"


def test_a_password_change_asks_for_the_old_one() -> None:
    """A page left open does not hand over the account."""
    client = by_password()
    wrong = client.post("/account/password/", passwords(password="not it"))
    assert wrong.status_code == 422
    assert "This is not your password" in wrong.text
    assert client.post("/account/password/", passwords()).status_code == 422
    assert client.post("/account/password/", passwords(password=OLD)).status_code == 302
    assert client.get("/account/").status_code == 200


def test_a_password_change_signs_out_other_devices() -> None:
    """Sessions elsewhere end with the old password."""
    client = by_password(username="mara")
    elsewhere = Client()
    elsewhere.force_login(User.objects.get(username="mara"))
    client.post("/account/password/", passwords(password=OLD))
    assert elsewhere.get("/account/").status_code == 302


def test_a_link_stands_for_the_old_password() -> None:
    """Who forgot it and came by a link chooses a new one, once."""
    client = by_link(password=OLD)
    assert client.post("/account/password/", passwords()).status_code == 302
    assert client.post("/account/password/", passwords()).status_code == 422


def test_the_name_can_change(viewer_client: Client) -> None:
    """The new name shows at once."""
    response = viewer_client.post("/account/", {"username": "lea"}, follow=True)
    assert "Your name is lea now." in response.text


def test_a_refused_name_is_not_shown_as_ones_own(viewer_client: Client) -> None:
    """The frame keeps the name in force while the field keeps what was typed."""
    response = viewer_client.post("/account/", {"username": "no spaces allowed"})
    assert response.status_code == 422
    assert response.text.count("no spaces allowed") == 1
