"""Admins decide who may come in, and as what."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from freellm_site.accounts.models import User
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def me(client: Client) -> User:
    return User.objects.get(pk=client.session["_auth_user_id"])


@pytest.mark.parametrize("path", ["/users/", "/users/1/"])
def test_users_are_for_admins(
    path: str, viewer_client: Client, operator_client: Client, client: Client
) -> None:
    """Others are told which role it takes, strangers sign in first."""
    for below in (viewer_client, operator_client):
        response = below.get(path)
        assert response.status_code == 403
        assert "needs the role “Admin”" in response.text
        assert "/users/" not in below.get("/account/").text
    assert client.get(path)["Location"] == f"/sign-in/?next={path}"


@pytest.mark.parametrize("action", ["add", "1/role", "1/active", "1/link"])
def test_changes_are_for_admins_and_posts(
    action: str, operator_client: Client, admin_client: Client
) -> None:
    """Neither another role nor a link changes anything."""
    assert operator_client.post(f"/users/{action}/").status_code == 403
    assert admin_client.get(f"/users/{action}/").status_code == 405


def test_a_new_user_gets_a_link_that_works(admin_client: Client) -> None:
    """The link is shown once and lets the newcomer in with the chosen role."""
    response = admin_client.post("/users/add/", {"username": "lea", "role": "operator"})
    link = re.search(r"http://testserver(/sign-in/[\w-]+/)", response.text)
    assert link
    newcomer = Client()
    assert newcomer.post(link[1])["Location"] == "/welcome/"
    assert me(newcomer).role == "operator"
    assert link[1] not in admin_client.get(f"/users/{me(newcomer).pk}/").text


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ({"username": "lea", "role": "owner"}, "Select a valid choice"),
        ({"username": "", "role": "viewer"}, "This field is required"),
        ({"username": "TAKEN", "role": "viewer"}, "Someone has this name already"),
        ({"username": "a\x00b", "role": "viewer"}, "Null characters are not allowed"),
    ],
)
def test_a_wrong_new_user_is_refused_in_place(
    typed: dict[str, str], error: str, admin_client: Client
) -> None:
    """The form says what is wrong; nobody is added."""
    make_user(username="taken")
    before = User.objects.count()
    response = admin_client.post("/users/add/", typed)
    assert response.status_code == 422
    assert error in response.text
    assert User.objects.count() == before


def test_a_role_can_change(admin_client: Client) -> None:
    """The person has the new role with their next request."""
    user = make_user()
    response = admin_client.post(f"/users/{user.pk}/role/", {"role": "operator"}, follow=True)
    assert f"{user} is operator now." in response.text
    assert User.objects.get(pk=user.pk).is_operator


def test_an_unknown_role_is_refused(admin_client: Client) -> None:
    """The answer names the roles there are."""
    response = admin_client.post(f"/users/{make_user().pk}/role/", {"role": "owner"})
    assert response.status_code == 422
    assert "Viewer, Operator, Admin" in response.text


@pytest.mark.parametrize(
    ("action", "data"), [("role", {"role": "viewer"}), ("active", {"active": "no"})]
)
def test_the_last_admin_stays(action: str, data: dict[str, str], admin_client: Client) -> None:
    """Somebody must be able to manage users; a deactivated admin does not count."""
    User.objects.filter(pk=make_user(role="admin").pk).update(is_active=False)
    admin = me(admin_client)
    response = admin_client.post(f"/users/{admin.pk}/{action}/", data)
    assert response.status_code == 409
    assert "last active admin" in response.text
    assert me(admin_client).is_admin
    make_user(role="admin")
    assert admin_client.post(f"/users/{admin.pk}/{action}/", data).status_code == 302


def test_deactivating_signs_out_at_once(admin_client: Client, viewer_client: Client) -> None:
    """Every session ends and stays so; activating lets in again by a link."""
    viewer = me(viewer_client)
    admin_client.post(f"/users/{viewer.pk}/active/", {"active": "no"})
    assert viewer_client.get("/account/").status_code == 302
    refused = admin_client.post(f"/users/{viewer.pk}/link/")
    assert refused.status_code == 409
    assert "Activate the account first" in refused.text
    admin_client.post(f"/users/{viewer.pk}/active/", {"active": "yes"})
    assert viewer_client.get("/account/").status_code == 302
    assert admin_client.get("/account/").status_code == 200
    assert admin_client.post(f"/users/{viewer.pk}/link/").status_code == 200


def test_who_deactivates_the_own_account_is_signed_out(admin_client: Client) -> None:
    """They come to the page where one signs in, not to an error."""
    make_user(role="admin")
    address = f"/users/{me(admin_client).pk}/active/"
    response = admin_client.post(address, {"active": "no"}, follow=True)
    assert response.redirect_chain[-1][0].startswith("/sign-in/")
    assert response.status_code == 200


@pytest.mark.parametrize("pk", ["999", "9" * 40])
def test_an_unknown_user_is_not_found(pk: str, admin_client: Client) -> None:
    """Also when the number is beyond what the database can hold."""
    assert admin_client.get(f"/users/{pk}/").status_code == 404
    assert admin_client.post(f"/users/{pk}/link/").status_code == 404


def test_the_list_finds_by_name(admin_client: Client) -> None:
    """Part of a name in any case is enough, and a fragment is only the rows."""
    make_user(username="Mara.Lind")
    make_user(username="other")
    response = admin_client.get("/users/?q=lind", headers={"HX-Request": "true"})
    assert "Mara.Lind" in response.text
    assert "other" not in response.text
    assert "<html" not in response.text


def test_nobody_found_is_said(admin_client: Client) -> None:
    """An empty list offers to show all."""
    assert "No user has “zzz” in the name" in admin_client.get("/users/?q=zzz").text


@pytest.mark.parametrize("page", ["2", "x", "-1", "99999999999999999999"])
def test_many_users_are_paged(page: str, admin_client: Client) -> None:
    """Any page asked for is answered with one that exists."""
    User.objects.bulk_create(User(username=f"many{n:03}") for n in range(120))
    response = admin_client.get(f"/users/?q=many&page={page}")
    assert response.status_code == 200
    assert "of 120" in response.text


def test_the_list_costs_the_same_for_many(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    """Session, user, two counts of the frame, count and rows."""
    User.objects.bulk_create(User(username=f"many{n:03}") for n in range(120))
    with django_assert_max_num_queries(6):
        admin_client.get("/users/")


@pytest.mark.parametrize("name", ["taken", "TAKEN"])
def test_a_taken_name_is_said_once(admin_client: Client, name: str) -> None:
    """In our words, beside the field, in any case of letters."""
    make_user(username="taken")
    page = admin_client.post("/users/add/", {"username": name, "role": "viewer"}).text
    assert page.count("Someone has this name already. Choose another.") == 1
    assert "already exists" not in page
