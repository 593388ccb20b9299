"""Browsing the catalog: Back takes back one step, and the search is always at hand."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_frame import serious
from tests.product import Product

# So that the next refresh finds it anew.
FORGET_AN_OFFER = """
from catalog import generation
from catalog.models import Offer
Offer.objects.filter(provider__origin="simulator", model__family="kestrel").first().delete()
generation.bump()
"""


def count_of(page: Page) -> str:
    """Such as "157 models, 232 offers", once it stands there."""
    return page.locator("#results b").first.inner_text()


def test_back_takes_back_one_filter_after_the_other(page: Page) -> None:
    """List, boxes, order and search are as they were; Forward brings all of it again."""
    page.goto("/catalog/")
    everything = count_of(page)
    page.get_by_role("checkbox", name=re.compile("^Reasoning")).check()
    expect(page).to_have_url(re.compile(r"\?good=reasoning$"))
    expect(page.get_by_role("link", name="Reasoning remove")).to_be_visible()
    reasoning = count_of(page)
    page.get_by_role("link", name="Model", exact=True).click()
    expect(page).to_have_url(re.compile(r"good=reasoning&sort=name$"))
    page.get_by_label("Search models").press_sequentially("gem")
    expect(page).to_have_url(re.compile(r"q=gem&good=reasoning&sort=name$"))
    expect(page.get_by_text(reasoning, exact=True)).to_have_count(0)
    assert everything != reasoning

    page.go_back()
    expect(page).to_have_url(re.compile(r"\?good=reasoning&sort=name$"))
    expect(page.get_by_label("Search models")).to_have_value("")
    expect(page.get_by_role("columnheader", name="Model")).to_have_attribute(
        "aria-sort", "ascending"
    )
    expect(page.get_by_text(reasoning, exact=True)).to_be_visible()
    page.go_back()
    expect(page.get_by_role("columnheader", name="Offers")).to_have_attribute(
        "aria-sort", "descending"
    )
    expect(page.get_by_role("checkbox", name=re.compile("^Reasoning"))).to_be_checked()
    page.go_back()
    expect(page.get_by_text(everything, exact=True)).to_be_visible()
    expect(page.get_by_role("checkbox", name=re.compile("^Reasoning"))).not_to_be_checked()
    assert urlsplit(page.url).query == ""
    page.go_forward()
    expect(page.get_by_text(reasoning, exact=True)).to_be_visible()
    expect(page.get_by_role("checkbox", name=re.compile("^Reasoning"))).to_be_checked()


def test_back_from_a_model_finds_the_list_as_it_was(page: Page) -> None:
    """The next page of a filtered list, and the filter can still be taken back."""
    page.goto("/catalog/")
    page.get_by_role("checkbox", name=re.compile("^Tools")).check()
    expect(page).to_have_url(re.compile(r"\?good=tool-use$"))
    page.get_by_role("link", name="Next").click()
    expect(page).to_have_url(re.compile(r"\?good=tool-use&page=2$"))
    expect(page.get_by_text("26 to 50 of")).to_be_visible()
    first = page.locator("[data-row-link]").first
    name = first.inner_text()
    first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    page.go_back()
    expect(page.locator("[data-row-link]").first).to_have_text(name)
    page.get_by_role("checkbox", name=re.compile("^Tools")).uncheck()
    expect(page).to_have_url(re.compile(r"/catalog/\??$"))


def test_back_takes_back_a_search_among_the_providers(page: Page) -> None:
    """A word is one step, however many letters it has."""
    page.goto("/catalog/providers/")
    search = page.get_by_label("Search providers")
    search.fill("gro")
    expect(page).to_have_url(re.compile(r"\?q=gro$"))
    search.fill("groq")
    expect(page).to_have_url(re.compile(r"\?q=groq$"))
    expect(page.locator("#providers").get_by_role("heading")).to_have_text("1 provider")
    page.go_back()
    expect(page).to_have_url(re.compile(r"/providers/$"))
    expect(search).to_have_value("")
    expect(page.locator("#providers").get_by_role("heading")).not_to_have_text("1 provider")


@pytest.mark.parametrize("width", [390, 1024])
def test_the_search_is_in_sight_at_every_width(page: Page, width: int) -> None:
    """Only the long list of filters waits behind its link, which opens and closes it."""
    page.set_viewport_size({"width": width, "height": 844})
    page.goto("/catalog/")
    search = page.get_by_label("Search models")
    expect(search).to_be_in_viewport()
    box = page.get_by_role("checkbox", name=re.compile("^Reasoning"))
    expect(box).to_be_hidden()
    search.fill("kestrel")
    expect(page.get_by_text("“kestrel”")).to_be_visible()
    page.get_by_role("link", name="Filters").click()
    box.check()
    expect(page.get_by_role("link", name="Reasoning remove")).to_be_attached()
    page.get_by_role("link", name="Close filters").click()
    expect(box).to_be_hidden()
    expect(page.get_by_role("link", name="Reasoning remove")).to_be_visible()


def test_a_refresh_shows_on_the_page_it_was_asked_on(page: Page, product: Product) -> None:
    """The sentence above the list, the list and the counts beside it are true without a reload."""
    product.manage("shell", "-c", FORGET_AN_OFFER)
    page.goto("/catalog/?q=kestrel")
    before = count_of(page)
    page.get_by_role("button", name="Refresh lists").click()
    expect(page.get_by_role("link", name="Provider by provider")).to_be_visible(timeout=60_000)
    expect(page.locator("#lede")).to_contain_text("Lists refreshed")
    expect(page.locator("#latest-changes")).to_contain_text("Kestrel")
    expect(page.get_by_text(before, exact=True)).to_have_count(0)
    expect(page.get_by_label("Search models")).to_have_value("kestrel")
    expect(page).to_have_url(re.compile(r"/catalog/\?q=kestrel$"))
    expect(page.get_by_role("link", name="Provider by provider")).to_be_visible()


def test_a_desktop_shows_a_model_s_offers_whole(page: Page) -> None:
    """However many units its limits have, no column hides behind the edge of the panel."""
    page.goto("/catalog/models/heron-70b/")
    expect(page.get_by_role("columnheader", name="Other limits")).to_be_visible()
    offers = page.get_by_role("region", name="Offers of")
    assert offers.evaluate("box => box.scrollWidth - box.clientWidth") == 0


def test_filters_add_up_and_each_is_taken_back_by_its_chip(page: Page) -> None:
    """Counts follow, a facet that was closed opens with its choice, and the address keeps all."""
    page.goto("/catalog/")
    page.get_by_text("Your prompts").click()
    page.get_by_role("checkbox", name=re.compile("^may train models")).check()
    expect(page).to_have_url(re.compile(r"\?training=used$"))
    page.get_by_role("checkbox", name=re.compile("^Tools")).check()
    expect(page).to_have_url(re.compile(r"good=tool-use&training=used$"))
    page.get_by_label("View").get_by_role("link", name="Offers").click()
    expect(page).to_have_url(re.compile(r"good=tool-use&training=used&view=offers$"))
    expect(page.get_by_role("columnheader", name="Provider")).to_be_visible()
    page.reload()
    expect(page.get_by_role("checkbox", name=re.compile("^may train models"))).to_be_checked()
    page.get_by_role("link", name="Your prompts: may train models remove").click()
    expect(page).to_have_url(re.compile(r"\?good=tool-use&view=offers$"))


def test_columns_are_chosen_and_kept(page: Page) -> None:
    """For the next visit as well, until the usual ones are wanted again."""
    page.goto("/catalog/?q=heron")
    page.get_by_text("Columns").click()
    page.get_by_role("checkbox", name=re.compile("^Longest answer")).check()
    page.get_by_role("checkbox", name=re.compile("^Good for")).uncheck()
    page.get_by_role("button", name="Show these").click()
    expect(page).to_have_url(re.compile(r"\?q=heron$"))
    page.goto("/catalog/")
    expect(page.get_by_role("columnheader", name="Longest answer")).to_be_visible()
    expect(page.get_by_role("columnheader", name="Good for")).to_have_count(0)
    page.get_by_text("Columns").click()
    page.get_by_role("button", name="As usual").click()
    expect(page.get_by_role("columnheader", name="Good for")).to_be_visible()


def test_models_are_ticked_on_several_pages_and_compared(page: Page) -> None:
    """The bar keeps them, a fifth is refused in words, and what differs is marked."""
    page.goto("/catalog/?sort=name")
    bar = page.get_by_role("form", name="Models to compare")
    expect(bar).to_be_hidden()
    boxes = page.locator("input.pick")
    for number in range(3):
        boxes.nth(number).check()
    expect(bar).to_contain_text("3 of 4 models chosen")
    page.get_by_label("Search models").fill("heron")
    expect(page.get_by_text("“heron”")).to_be_visible()
    boxes.first.check()
    expect(bar).to_contain_text("4 of 4 models chosen")
    page.goto("/catalog/?q=kestrel")
    boxes.first.click()
    expect(bar).to_contain_text("Four models at most stand side by side.")
    expect(boxes.first).not_to_be_checked()
    bar.get_by_role("button", name=re.compile("Do not compare")).first.click()
    boxes.first.check()
    bar.get_by_role("button", name="Compare", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare models")
    expect(page.get_by_role("columnheader")).to_have_count(5)
    expect(page.locator("tr.differs", has_text="Longest context")).to_be_visible()
    page.get_by_role("link", name="Differences").click()
    expect(page.locator("tbody tr:not(.group):not(.differs)")).to_have_count(0)
    page.get_by_role("link", name=re.compile("^Take .* away$")).first.click()
    expect(page.get_by_role("columnheader")).to_have_count(4)
    page.get_by_role("searchbox", name="Add a model").fill("gpt oss 20b")
    page.keyboard.press("Enter")
    expect(page.get_by_role("columnheader", name="GPT-OSS 20B")).to_be_visible()


def test_the_list_is_walked_with_the_keyboard(page: Page) -> None:
    """/ finds, arrows move, x ticks, Enter opens; ? tells all of it."""
    page.goto("/catalog/")
    page.keyboard.press("/")
    search = page.get_by_label("Search models")
    expect(search).to_be_focused()
    page.keyboard.type("heron")
    expect(page.get_by_text("“heron”")).to_be_visible()
    rows = page.locator("[data-row-link]")
    page.keyboard.press("ArrowDown")
    expect(rows.first).to_be_focused()
    page.keyboard.press("x")
    expect(page.get_by_role("form", name="Models to compare")).to_contain_text("1 model chosen")
    page.goto("/catalog/")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(rows.first).to_be_focused()
    name = rows.first.inner_text()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("Tick the row")
    page.keyboard.press("Escape")
    rows.first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def test_without_script_the_list_is_read_and_compared(page_without_js: Page) -> None:
    """Facets are sent with a button, ticked models with another."""
    page = page_without_js
    page.goto("/catalog/")
    page.get_by_role("checkbox", name=re.compile("^Reasoning")).check()
    page.get_by_role("button", name="Show these").first.click()
    expect(page.get_by_role("link", name="Reasoning remove")).to_be_visible()
    boxes = page.locator("input.pick")
    boxes.nth(0).check()
    boxes.nth(1).check()
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("columnheader")).to_have_count(3)


@pytest.mark.parametrize("address", ["/catalog/?view=offers", "/catalog/compare/?models=heron-70b"])
def test_the_new_pages_are_accessible_and_fit(page: Page, phone: Page, address: str) -> None:
    """No serious finding, and nothing hangs over the edge of a phone."""
    page.goto(address)
    assert serious(page) == []
    phone.goto(address)
    over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert phone.evaluate(over) <= 0
