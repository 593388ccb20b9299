"""A page that is loaded again, or opened twice, shows the same answer going on."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.test_playground_ux import LONG, send, stop

SAID = "This is a simulated answer"


def test_a_reload_finds_the_answer_going_on(page: Page) -> None:
    """What had come is there at once, once, and grows; Stop still stops it upstream."""
    page.goto("/playground/?model=albatross-405b")  # slow enough to be stopped
    send(page, LONG)
    expect(page.get_by_text(SAID)).to_be_visible()
    expect(page).to_have_url(re.compile(r"/playground/\d+/"))
    page.reload()
    answer = page.locator("#talk > .answer")
    expect(answer.get_by_text(SAID)).to_have_count(1)
    seen = len(answer.locator(".prose").first.inner_text())
    page.wait_for_function(
        "(seen) => document.querySelector('#talk .prose').innerText.length > seen + 40", arg=seen
    )
    expect(answer.get_by_text(SAID)).to_have_count(1)
    stop(page)
    expect(page.get_by_role("button", name="Retry")).to_be_visible()


def test_a_second_tab_sees_the_same(page: Page) -> None:
    """Opened in the middle it has the whole answer; stopped there, both tell and count alike."""
    page.goto("/playground/?model=albatross-405b")
    send(page, LONG)
    expect(page.get_by_text(SAID)).to_be_visible()
    expect(page).to_have_url(re.compile(r"/playground/\d+/"))
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.locator("#talk > .answer").get_by_text(SAID)).to_have_count(1)
    stop(other)
    expect(page.get_by_text("You stopped this answer")).to_be_visible()
    expect(page.locator("#totals")).to_contain_text("about")
    assert page.locator("#totals").inner_text() == other.locator("#totals").inner_text()
    other.close()
