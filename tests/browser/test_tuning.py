"""An admin changes a limit in the page, sees what it comes to, applies it and takes it back."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.test_frame import serious


def test_a_limit_is_changed_seen_applied_and_taken_back(page: Page) -> None:
    """Nothing holds before it is applied; then it holds in every process, and undo restores."""
    page.goto("/monitoring/tuning/")
    field = page.get_by_label("Longest wait here", exact=True)
    field.fill("7")
    proposed = page.locator("#proposed")
    expect(proposed).to_contain_text("1 change, not applied")
    expect(proposed.locator(".diff")).to_contain_text(re.compile(r"5\ss → 7\ss"))
    assert serious(page) == []

    page.get_by_label("Why, for the history").fill("answers were slow")
    page.get_by_role("button", name="Apply everywhere").click()
    expect(page.get_by_text("Saved. It holds in every process")).to_be_visible()
    expect(field).to_have_value("7")
    expect(page.locator("#held")).to_contain_text(re.compile(r"Holds in (\d+) of \1 process"))
    history = page.locator(".feed li", has_text="answers were slow").first
    history.get_by_role("button", name="Undo").click()
    expect(field).to_have_value("")
    expect(page.locator(".feed")).to_contain_text("takes back change")


def test_settings_are_found_and_mistakes_are_said(page: Page) -> None:
    """While one types: others go out of sight, a value out of bounds is said at once."""
    page.goto("/monitoring/tuning/")
    page.get_by_label("Find a setting").fill("probes at once")
    field = page.get_by_label("Probes at once")
    expect(field).to_be_visible()
    expect(page.get_by_label("Longest wait here", exact=True)).to_be_hidden()
    field.fill("1.5")
    expect(page.locator("#proposed")).to_contain_text("must be a whole number of calls")
    field.fill("2")
    expect(page.locator("#proposed")).to_contain_text("1 change, not applied")
    page.get_by_label("Find a setting").fill("no such thing")
    expect(page.get_by_text("No setting is called that.")).to_be_visible()


def test_on_a_phone_what_is_proposed_stays_in_sight(phone: Page) -> None:
    """However far down the settings one is."""
    phone.goto("/monitoring/tuning/")
    phone.get_by_label("Longest wait here", exact=True).fill("7")
    button = phone.get_by_role("button", name="Apply everywhere")
    expect(phone.locator("#proposed")).to_contain_text("1 change, not applied")
    expect(button).to_be_in_viewport()


def test_without_script_it_is_previewed_and_applied(page_without_js: Page) -> None:
    """Plain forms and answers."""
    page = page_without_js
    page.goto("/monitoring/tuning/?provider=sim-swift")
    page.get_by_label("Longest wait here", exact=True).fill("6")
    page.get_by_role("button", name="Preview").last.click()
    expect(page.locator("#proposed")).to_contain_text("1 change, not applied")
    page.get_by_role("button", name="Apply everywhere").click()
    expect(page.get_by_text("Saved. It holds in every process")).to_be_visible()
    page.get_by_role("button", name="Undo").first.click()
    expect(page.get_by_label("Longest wait here", exact=True)).to_have_value("")
