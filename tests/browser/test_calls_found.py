"""From a chart to its calls, and from the table of calls to where one call's time went."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.test_frame import serious
from tests.browser.test_live_pages import call
from tests.product import Product


def test_a_point_leads_to_its_calls(page: Page, product: Product) -> None:
    """A click on a bar of the hour shows the calls of that minute."""
    call(product)
    page.goto("/monitoring/?range=1h")
    bars = page.locator('[data-figure="figure-calls"] .bars .point path')
    expect(bars).not_to_have_count(0)
    drawn = bars.evaluate_all("(all) => all.findLastIndex((one) => one.getBBox().height > 1)")
    bars.nth(drawn).scroll_into_view_if_needed()
    box = bars.nth(drawn).bounding_box()
    assert box is not None
    # Plotly listens on a layer above the bars, and for the pointer before it is pressed.
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
    expect(page.locator(".hoverlayer .hovertext, .hoverlayer .legend").first).to_be_visible()
    page.mouse.down()
    page.mouse.up()

    expect(page).to_have_url(re.compile(r"/monitoring/calls/\?since=.*&until="))
    expect(page.locator("#call-rows tr")).not_to_have_count(0)
    expect(page.locator("#call-rows")).not_to_contain_text("No call matches")
    expect(page.get_by_label("From", exact=True)).not_to_have_value("")


def test_finds_a_call_and_opens_its_trail(page: Page, product: Product) -> None:
    """By filters that act as they are chosen, to the waterfall of the call's attempts."""
    call(product)
    page.goto("/monitoring/calls/")
    page.get_by_label("Outcome").select_option("answered")
    expect(page).to_have_url(re.compile("outcome=answered"))
    page.locator("#call-rows a.name").first.click()

    expect(page.get_by_role("heading", name="Trail of attempts")).to_be_visible()
    expect(page.locator(".phases li").first).to_be_visible()
    expect(page.locator("#call-curl")).to_contain_text("curl")
    assert serious(page) == []


def test_tells_traffic_apart_without_script(page_without_js: Page, product: Product) -> None:
    """By model: the rows, and the figures that the charts would have drawn."""
    call(product)
    page_without_js.goto("/monitoring/?range=1h&by=model")

    expect(page_without_js.locator("#told-apart")).to_have_text("By model")
    expect(
        page_without_js.get_by_role("region", name="By model").locator("tbody tr")
    ).not_to_have_count(0)
