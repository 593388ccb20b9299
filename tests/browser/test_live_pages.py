"""Pages that bring themselves up to date while somebody looks."""

from __future__ import annotations

import re
import time

import httpx
from playwright.sync_api import Page, expect

from tests.browser.test_frame import serious
from tests.product import Product

WITHIN_S = 30.0
# The live pages' own event, with so many calls in the one step there is: what the axis then says,
# at once, before the next news draws the chart anew.
TICKS = """(calls) => {
  const columns = new Proxy({}, { get: (_, name) => [name === "first" ? calls : 0] });
  const detail = { times: ["2026-11-22 21:00:00"], columns };
  document.dispatchEvent(new CustomEvent("chartnumbers", { detail }));
  return [...document.querySelectorAll(".ytick text")].map((tick) => tick.textContent);
}"""


def call(product: Product) -> None:
    """A call made elsewhere, by the plain form; returns once it is on record."""
    cookies = {one["name"]: one["value"] for one in product.state["cookies"]}
    headers = {"X-CSRFToken": cookies["csrftoken"], "Referer": product.url}
    with httpx.Client(
        base_url=product.url, cookies=cookies, trust_env=False, timeout=WITHIN_S
    ) as client:
        before = recorded(client)
        answer = client.post("/playground/send/", data={"prompt": "Say ping."}, headers=headers)
        assert answer.status_code == 302
        deadline = time.monotonic() + WITHIN_S
        while recorded(client) == before:
            assert time.monotonic() < deadline, "the call is not on record"
            time.sleep(0.1)  # the recorder writes in its own time


def recorded(client: httpx.Client) -> int:
    return len(client.get("/monitoring/calls.jsonl").text.splitlines())


def calls_today(page: Page) -> int:
    figure = page.locator(".tiles > div", has_text="Calls today").locator("dd").first
    return int(re.sub(r"\D", "", figure.inner_text()))


def test_the_overview_brings_itself_up_to_date(page: Page, product: Product) -> None:
    """Tiles, legend and chart follow a call made elsewhere; the page is not loaded again."""
    call(product)
    page.goto("/")
    expect(page.locator(".js-plotly-plot")).to_be_visible()
    page.evaluate("window.isStillHere = true")
    before = calls_today(page)
    drawn = page.evaluate(DRAWN)
    call(product)
    tile = page.locator(".tiles > div", has_text="Calls today").locator("dd").first
    expect(tile).to_have_text(re.compile(rf"^{before + 1}\b"))
    page.wait_for_function(f"(before) => ({DRAWN})() === before + 1", arg=drawn)
    assert page.evaluate("window.isStillHere")
    assert serious(page) == []


def test_the_table_of_calls_brings_itself_up_to_date(page: Page, product: Product) -> None:
    """A new call appears on top while the reader's place in the table stays."""
    call(product)
    page.goto("/monitoring/calls/")
    rows = page.locator("#call-rows > tr")
    expect(rows.first.get_by_role("link")).to_be_visible()
    newest = rows.first.get_by_role("link").get_attribute("id")
    rows.first.get_by_role("link").focus()
    call(product)
    expect(rows.first.get_by_role("link")).not_to_have_attribute("id", newest or "")
    expect(page.locator(f"#{newest}")).to_be_focused()


DRAWN = """() => document.querySelector('.js-plotly-plot').data
  .flatMap((trace) => trace.y).reduce((sum, one) => sum + (one ?? 0), 0)"""


def test_half_a_call_is_on_no_axis(page: Page, product: Product) -> None:
    """Where few calls were counted, the axis steps by one; where many were, by more."""
    call(product)
    page.goto("/")
    expect(page.locator(".js-plotly-plot")).to_be_visible()
    assert page.evaluate(TICKS, 1) == ["0", "1"]
    assert page.evaluate(TICKS, 3) == ["0", "1", "2", "3"]
    assert page.evaluate(TICKS, 40)[:2] == ["0", "10"]


def test_without_script_no_chart_pretends_to_be_drawn(
    page_without_js: Page, product: Product
) -> None:
    """Tiles, legends and tables tell the figures; no empty box and nothing live."""
    call(product)
    for url in ("/", "/monitoring/"):
        page_without_js.goto(url)
        expect(page_without_js.locator(".legend").first).to_be_visible()
        expect(page_without_js.locator("[data-chart]").first).to_be_hidden()
        expect(page_without_js.get_by_text("Live", exact=True)).to_be_hidden()
