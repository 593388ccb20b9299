"""The playground for everybody: by its names, without JavaScript, after the session ended."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_frame import serious
from tests.product import Product

CODE = "Write a Python function that parses a duration such as 2m59.56s."


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_finished_conversation_and_picks_have_no_findings(theme: str, page: Page) -> None:
    """Axe finds nothing serious in the answer, its trail and the picks for the next prompt."""
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce")
    page.goto("/playground/")
    page.get_by_placeholder("Ask anything").fill(CODE)
    expect(page.locator(".pick")).to_have_count(3)
    assert serious(page) == []
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("button", name="Ask again")).to_be_visible(timeout=30_000)
    page.get_by_placeholder("Ask anything").fill(CODE)
    expect(page.locator("#picks .pick")).to_have_count(3)
    page.get_by_role("link", name="Another model").click()
    expect(page.locator("[id^=again-] .pick").first).to_be_visible()
    assert serious(page) == []


def test_a_conversation_reads_without_javascript(page_without_js: Page) -> None:
    """Both turns, their figures, and forms that go on, as plain HTML."""
    page = page_without_js
    page.goto("/playground/")
    for number in (1, 2):
        page.get_by_placeholder("Ask anything").fill("Say ping.")
        page.get_by_role("button", name="Send").click()
        expect(page.locator("#talk > .answer")).to_have_count(number)
    expect(page.get_by_text("This is a simulated answer")).to_have_count(2)
    expect(page.locator("#totals")).to_contain_text("2")
    page.get_by_role("link", name="Another model").last.click()
    expect(page.locator("h1")).to_have_text("Ask another model")
    page.locator("button.pick").first.click()
    expect(page.locator("#talk > .answer")).to_have_count(3)
    expect(page.get_by_text("asked again")).to_be_visible()


def test_an_expired_session_keeps_prompt_and_parameters(browser: Browser, product: Product) -> None:
    """Sent after the session ended, the form waits on the page that sign-in leads back to."""
    context = browser.new_context(base_url=product.url, storage_state=product.state)
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.goto("/playground/")
    page.get_by_text("System prompt and parameters").click()
    page.get_by_label("System prompt", exact=True).fill("Answer in rhymes")
    page.get_by_label("Temperature").fill("0.5")
    page.get_by_label("Longest answer").fill("77")
    page.get_by_placeholder("Ask anything").fill("Say ping.")
    context.clear_cookies(name="sessionid")
    page.get_by_role("button", name="Send").click()
    expect(page).to_have_url(re.compile("sign-in"))
    context.add_cookies(product.state["cookies"])
    page.goto("/playground/")
    expect(page.get_by_placeholder("Ask anything")).to_have_value("Say ping.")
    expect(page.locator("#system")).to_have_value("Answer in rhymes")
    expect(page.locator("#temperature")).to_have_value("0.5")
    expect(page.locator("#max-tokens")).to_have_value("77")
    expect(page.locator("[data-set]")).to_be_visible()
    context.close()


def test_picks_follow_the_longest_answer_while_it_is_typed(page: Page) -> None:
    """Nothing need be left for the picks to know; what is set is marked when folded."""
    page.goto("/playground/")
    page.get_by_placeholder("Ask anything").fill(CODE)
    expect(page.locator(".pick")).to_have_count(3)
    expect(page.locator("[data-set]")).to_be_hidden()
    page.get_by_text("System prompt and parameters").click()
    with page.expect_request(
        lambda request: (
            "recommend" in request.url and "max_tokens=150000" in (request.post_data or "")
        )
    ):
        page.get_by_label("Longest answer").fill("150000")
    expect(page.locator("#picks").get_by_text("fits 150k tokens").first).to_be_visible()
    page.get_by_text("System prompt and parameters").click()
    expect(page.locator("[data-set]")).to_be_visible()
