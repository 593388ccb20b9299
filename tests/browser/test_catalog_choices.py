"""What an admin does to the catalog, and taking it along, in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path

from playwright.sync_api import Page, expect

PROVIDER = "/catalog/providers/groq/"


def test_an_offer_is_hidden_and_shown_again(page: Page) -> None:
    """By ticking it on its provider's page; the undo is the same button's neighbour."""
    page.goto(PROVIDER)
    tick = page.locator('input[name="offer"]').first
    row = page.locator("tr", has=tick).first
    external_id = row.locator(".under.mono").first.inner_text()
    same = page.locator("#offers tbody tr", has_text=external_id).first
    tick.check()
    page.locator("#bulk-hide").get_by_role("button", name="Hide").click()
    expect(page.get_by_text("1 offer hidden and no longer called.")).to_be_visible()
    expect(same).to_contain_text("Hidden")
    page.get_by_label(f"Tick {external_id}", exact=True).check()
    page.locator("#bulk-hide").get_by_role("button", name="Show").click()
    expect(page.get_by_text("1 offer shown again.")).to_be_visible()
    expect(same).not_to_contain_text("Hidden")


def test_limits_are_set_and_taken_back(page: Page) -> None:
    """The page says what would hold without it; the history keeps both."""
    page.goto(PROVIDER)
    page.get_by_label(re.compile("^Choices for ")).first.click()
    page.get_by_label("Requests a minute").fill("a few")
    page.get_by_role("button", name="Keep these").click()
    expect(page.get_by_text("Enter a whole number from 1 on")).to_be_visible()
    expect(page.get_by_label("Requests a minute")).to_have_value("a few")
    page.get_by_label("Requests a minute").fill("3")
    page.get_by_role("button", name="Keep these").click()
    expect(page.get_by_text("Limits: 3 rpm").first).to_be_visible()
    page.get_by_role("button", name="Take back limits").click()
    expect(page.get_by_text("Nothing is chosen.")).to_be_visible()
    expect(page.get_by_text("Ended by")).to_be_visible()


def test_what_is_filtered_is_exported(page: Page, tmp_path: Path) -> None:
    """The menu's links hold the filters in force."""
    page.goto("/catalog/?provider=groq")
    page.locator("#export summary").click()
    with page.expect_download() as found:
        page.get_by_role("link", name="Data, JSON").click()
    kept = tmp_path / "models.json"
    found.value.save_as(kept)
    offers = json.loads(kept.read_text())
    assert offers
    assert {one["provider"] for one in offers} == {"groq"}


def test_changes_are_filtered_and_subscribed_to(page: Page) -> None:
    """A search with nothing to find says so; a token's feed address is shown once."""
    page.goto("/catalog/changes/")
    page.get_by_label("Search changes").fill("no such model at all")
    page.get_by_label("Search changes").press("Enter")
    expect(page.get_by_text(re.compile("No such change|No changes yet"))).to_be_visible()
    page.goto("/catalog/tokens/?kind=added")
    page.get_by_label("Who reads with it").fill("Phone")
    page.get_by_role("button", name="Make a token").click()
    feed = page.locator("code", has_text="changes.atom").inner_text()
    assert "kind=added" in feed
    assert page.request.get(feed).ok
