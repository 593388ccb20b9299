"""The frame in a real browser: theme, keys, menus, dialogs, toasts; with and without script."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.product import Product

PAGES = ["/account/", "/users/", "/users/1/", "/styleguide/"]


def serious(page: Page) -> list[tuple[str, list[Any]]]:
    """What axe holds against the page, and where."""
    violations = Axe().run(page).response["violations"]
    return [
        (one["id"], [node["target"] for node in one["nodes"]])
        for one in violations
        if one["impact"] in {"serious", "critical"}
    ]


def new_person(page: Page, name: str) -> None:
    """Add a user, and open their page."""
    page.goto("/users/")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Add and make a link").click()
    page.locator(".crumbs").get_by_role("link", name=name).click()


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_are_accessible(path: str, theme: str, page: Page) -> None:
    """No serious finding, in either theme."""
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce")
    page.goto(path)
    assert serious(page) == []


@pytest.mark.parametrize("path", PAGES)
def test_no_page_is_wider_than_a_phone(path: str, phone: Page) -> None:
    """Only code and tables of figures may scroll sideways, inside their panel."""
    phone.goto(path)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_theme_is_kept(page: Page) -> None:
    """The choice holds on the next page, before its first paint, and can be given back."""
    page.emulate_media(color_scheme="light")
    page.goto("/account/")
    page.locator(".rail").get_by_role("button", name="Change theme").click()
    page.goto("/users/")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.goto("/account/")
    expect(page.get_by_label("Dark")).to_be_checked()
    page.locator("label", has_text="As the system").click()
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") is None


def test_keys_are_shortcuts_to_links(page: Page) -> None:
    """`g u` goes to users, `j` to the first row, `/` to the search, `?` lists them all."""
    page.goto("/account/")
    page.keyboard.press("g")
    page.keyboard.press("u")
    page.wait_for_url("**/users/")
    page.keyboard.press("j")
    expect(page.locator("tbody tr a").first).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_label("Find a user")).to_be_focused()
    page.keyboard.type("?g")
    expect(page.locator("#shortcuts")).not_to_be_visible()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    expect(page.locator("#shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#shortcuts")).not_to_be_visible()


def test_what_hurts_is_asked_first(page: Page) -> None:
    """Cancel changes nothing; going on does, and says so."""
    new_person(page, "asked-first")
    page.get_by_role("button", name="Deactivate…").click()
    page.locator("#confirm").get_by_role("button", name="Cancel").click()
    expect(page.locator(".lede")).to_contain_text("Has not come in yet")
    page.get_by_role("button", name="Deactivate…").click()
    page.locator("#confirm").get_by_role("button", name="Deactivate").click()
    expect(page.locator("#toasts")).to_contain_text("may not sign in")
    expect(page.locator(".lede")).to_contain_text("Deactivated")


def test_a_refused_swap_leaves_the_page(page: Page, console: list[str]) -> None:
    """The rows stay, a toast says why."""
    page.goto("/users/")
    rows = page.locator("tbody tr").count()
    page.evaluate("htmx.ajax('GET', '/nothing-here/', {target: '#users'})")
    expect(page.locator("#toasts")).to_contain_text("Nothing is at this address.")
    assert page.locator("tbody tr").count() == rows
    # The browser itself reports the 404 that was asked for.
    assert all("404" in line for line in console)
    console.clear()


def test_search_answers_while_typing(page: Page) -> None:
    """The rows change, the address can be kept, and Back brings the rows back."""
    page.goto("/users/")
    page.get_by_label("Find a user").fill("nobody like this")
    expect(page.locator("#users")).to_contain_text("No user has")
    page.wait_for_url("**/users/?q=nobody*")
    page.go_back()
    expect(page.locator("tbody tr").first).to_be_visible()


def test_a_phone_has_a_bar_of_five(phone: Page) -> None:
    """Four places and the rest behind More."""
    phone.goto("/account/")
    bar = phone.locator(".rail")
    expect(bar.locator("a:visible")).to_have_count(4)
    bar.get_by_role("button", name="More").tap()
    expect(phone.locator("#more").get_by_role("link", name="Users")).to_be_visible()
    phone.keyboard.press("Escape")
    expect(phone.locator("#more")).not_to_be_visible()


def test_everything_works_without_script(page_without_js: Page) -> None:
    """Adding someone, changing their role and the menus are plain forms and links."""
    page = page_without_js
    new_person(page, "without-script")
    page.get_by_label("Operator").check()
    page.get_by_role("button", name="Change role").click()
    expect(page.locator("#toasts")).to_contain_text("without-script is operator now.")
    expect(page.get_by_role("button", name="Change theme")).to_have_count(0)
    page.locator(".rail .who").click()
    expect(page.locator("#account").get_by_role("button", name="Sign out")).to_be_visible()


def test_an_expired_session_leads_to_sign_in(
    stranger: Page, product: Product, console: list[str]
) -> None:
    """The whole page moves, and comes back where it was."""
    stranger.context.add_cookies(product.state["cookies"])
    stranger.goto(f"{product.url}/users/")
    stranger.context.clear_cookies()
    stranger.get_by_label("Find a user").fill("a")
    stranger.wait_for_url("**/sign-in/?next=%2Fusers%2F*")
    expect(stranger.get_by_role("heading", name="Sign in")).to_be_visible()
    assert serious(stranger) == []
