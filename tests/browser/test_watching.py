"""An operator watches a limit fall, trips a breaker, sees calls go elsewhere, and undoes both."""

from __future__ import annotations

import json
import re
import time
import uuid
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_frame import serious
from tests.product import Product

WITHIN_S = 30.0
LIMIT = "/monitoring/limits/quota/?provider=sim-swift&key=none&pool=sparrow-8b-instruct"
# What the chart of requests a minute draws last: of the limit in force.
IN_FORCE = """() => document.querySelector("[data-figure=figure-rpm]")?.data
  ?.find((trace) => trace.name === "in force")?.y.at(-1)"""


def test_a_limit_is_lowered_and_the_chart_falls(page: Page) -> None:
    """Changed in the page of tuning, seen on the live chart, and taken back."""
    page.goto(LIMIT)
    page.wait_for_function(f"() => ({IN_FORCE})() > 6")
    before = page.evaluate(IN_FORCE)
    tuning = page.context.new_page()
    tuning.goto("/monitoring/tuning/?provider=sim-swift")
    tuning.get_by_label("Find a setting").fill("requests a minute")
    tuning.get_by_label("Requests a minute", exact=True).fill("6")
    tuning.get_by_label("Why, for the history").fill("watching it fall")
    tuning.get_by_role("button", name="Apply everywhere").click()
    page.wait_for_function(f"() => ({IN_FORCE})() === 6")
    expect(page.locator("[data-live-text=held-rpm]")).to_have_text("6")
    expect(page.get_by_role("region", name="Limits by source")).to_contain_text("pinned")
    assert serious(page) == []

    history = tuning.locator(".feed li", has_text="watching it fall").first
    history.get_by_role("button", name="Undo").click()
    page.wait_for_function(f"(before) => ({IN_FORCE})() === before", arg=before)
    tuning.close()


def test_a_breaker_is_tripped_calls_go_elsewhere_and_it_is_reset(
    page: Page, product: Product
) -> None:
    """Without a reason nothing happens; with one it holds with the next call."""
    first = call(product)["provider"]
    page.goto(f"/monitoring/breakers/breaker/?provider={first}&model=")
    page.get_by_role("button", name="Do it…").click()
    expect(page.get_by_label("Why")).to_be_focused()
    page.get_by_label("Why").fill("it lies")
    act(page)
    expect(page.get_by_text("It is held open in every process.")).to_be_visible()
    expect(page.get_by_role("heading", name=re.compile("^Open"))).to_be_visible()
    expect(page.locator(".feed")).to_contain_text("it lies")
    assert serious(page) == []
    assert call(product)["provider"] != first

    page.goto("/monitoring/breakers/")
    page.locator(".bands li", has_text="by hand for").get_by_role("link", name="Reset").click()
    page.get_by_label("Why").fill("it is well again")
    act(page)
    expect(page.get_by_role("heading", name="Closed")).to_be_visible()


@pytest.mark.parametrize("url", ["/monitoring/limits/", "/monitoring/breakers/", LIMIT])
def test_on_a_phone_nothing_scrolls_sideways(phone: Page, url: str) -> None:
    """Rows fold into two lines, bands take the whole width."""
    phone.goto(url)
    expect(phone.get_by_role("heading", level=1)).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    assert serious(phone) == []


def test_the_list_of_quotas_is_live(page: Page, product: Product) -> None:
    """A call made elsewhere is seen without loading the page again."""
    page.goto("/monitoring/limits/")
    rows = page.locator("[data-live-part=rows] > tr")
    expect(rows.first).to_be_visible()
    before = rows.all_inner_texts()
    call(product)
    deadline = time.monotonic() + WITHIN_S
    while rows.all_inner_texts() == before:
        assert time.monotonic() < deadline, "the list did not move"
        page.wait_for_timeout(100)
    assert serious(page) == []


def act(page: Page) -> None:
    """Press the button, and say yes to the question."""
    page.get_by_role("button", name="Do it…").click()
    page.get_by_role("dialog").get_by_role("button", name="Do it").click()


def call(product: Product) -> dict[str, Any]:
    """A call that no cache can answer, made by the plain form; its record."""
    cookies = {one["name"]: one["value"] for one in product.state["cookies"]}
    headers = {"X-CSRFToken": cookies["csrftoken"], "Referer": product.url}
    with httpx.Client(
        base_url=product.url, cookies=cookies, trust_env=False, timeout=WITHIN_S
    ) as client:
        before = records(client)
        asked = {"prompt": f"Say {uuid.uuid4().hex}."}
        assert client.post("/playground/send/", data=asked, headers=headers).status_code == 302
        deadline = time.monotonic() + WITHIN_S
        while len(now := records(client)) == len(before):
            assert time.monotonic() < deadline, "the call is not on record"
            time.sleep(0.1)  # the recorder writes in its own time
    return now[0]


def records(client: httpx.Client) -> list[dict[str, Any]]:
    """The newest first."""
    lines = client.get("/monitoring/calls.jsonl").text.splitlines()
    return [json.loads(line) for line in lines]
