"""The playground keeps in view what the reader came for, and keeps what was typed."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

LONG = "Write a very long story about night trains, in twenty chapters, with every detail."
HIDDEN_PX = """() => {
  const answer = document.querySelector("#talk > .answer:last-child").getBoundingClientRect();
  const below = document.querySelector(".composer").getBoundingClientRect();
  return Math.max(answer.bottom - Math.min(below.top, innerHeight), 0);
}"""


def send(page: Page, prompt: str) -> None:
    page.get_by_placeholder("Ask anything").fill(prompt)
    page.get_by_role("button", name="Send").click()


def stop(page: Page) -> None:
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("You stopped this answer")).to_be_visible()


def test_a_stopped_answer_shows_how_it_ended(page: Page) -> None:
    """The verdict, Retry and the figures stand above the composer; nothing says it fell back."""
    page.goto("/playground/?model=albatross-405b")  # slow enough to be stopped
    send(page, LONG)
    expect(page.get_by_text("This is a simulated answer")).to_be_visible()
    stop(page)
    page.wait_for_function(f"({HIDDEN_PX})() === 0")
    expect(page.get_by_role("button", name="Retry")).to_be_in_viewport()
    expect(page.get_by_text("fell back")).to_have_count(0)


def test_a_phone_shows_the_answer_it_asked_for(phone: Page) -> None:
    """After a tap on Send the answer grows before the reader's eyes."""
    phone.goto("/playground/?model=albatross-405b")  # slow enough to be stopped
    phone.get_by_placeholder("Ask anything").fill(LONG)
    expect(phone.locator(".pick").first).to_be_visible()
    phone.get_by_role("button", name="Send").tap()
    expect(phone.get_by_text("This is a simulated answer")).to_be_in_viewport()
    expect(phone.get_by_role("button", name="Stop")).to_be_in_viewport()
    stop(phone)
    expect(phone.get_by_text("You stopped this answer")).to_be_in_viewport()


def test_a_conversation_keeps_its_panel_and_parameters(page: Page) -> None:
    """The panel comes with the first answer; a reload keeps what the next turn goes with."""
    page.goto("/playground/")
    page.get_by_text("System prompt and parameters").click()
    page.get_by_label("System prompt", exact=True).fill("Answer in rhymes")
    page.get_by_label("Temperature").fill("0.5")
    send(page, "Say ping.")
    expect(page.get_by_role("button", name="Ask again")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("heading", name="This conversation")).to_be_visible()
    expect(page.get_by_role("link", name="Markdown")).to_be_visible()
    page.reload()
    expect(page.locator("#system")).to_have_value("Answer in rhymes")
    expect(page.locator("#temperature")).to_have_value("0.5")
    page.get_by_text("Rename or delete").click()
    page.get_by_label("Title").fill("Rhymes")
    page.get_by_role("button", name="Rename").click()
    expect(page.locator("h1")).to_have_text("Rhymes")


def test_a_new_conversation_can_be_renamed_at_once(page: Page) -> None:
    """The forms of the panel that came with the answer work without a reload."""
    page.goto("/playground/")
    send(page, "Say ping.")
    expect(page.get_by_role("button", name="Ask again")).to_be_visible(timeout=30_000)
    page.get_by_text("Rename or delete").click()
    page.get_by_label("Title").fill("Pong")
    page.get_by_role("button", name="Rename").click()
    expect(page.locator("h1")).to_have_text("Pong")


def test_a_wrong_parameter_is_marked_until_it_is_right(page: Page) -> None:
    """The field says what it takes and has the focus; once right, the mark is gone."""
    page.goto("/playground/")
    page.get_by_text("System prompt and parameters").click()
    page.get_by_label("Temperature").fill("hot")
    send(page, "Say ping.")
    field = page.get_by_label("Temperature")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_be_focused()
    expect(page.locator("#temperature-error")).to_have_text(re.compile("from 0 to 2"))
    field.fill("0.5")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("button", name="Ask again")).to_be_visible(timeout=30_000)
    expect(page.locator("[aria-invalid]")).to_have_count(0)


def test_typing_quickly_leaves_the_console_clean(page: Page) -> None:
    """Picks that are asked for while others are on their way wait; nothing is broken off."""
    page.goto("/playground/")
    with page.expect_response("**/playground/recommend/"):
        page.get_by_placeholder("Ask anything").press_sequentially("Translate this", delay=1)
    for word in ("Write code", "Sum up", "Translate: good morning"):
        with page.expect_request("**/playground/recommend/"):
            page.get_by_placeholder("Ask anything").fill(word)
    expect(page.get_by_text("translation", exact=False).first).to_be_visible()


def test_an_example_is_sent_at_once_and_other_models_come_into_view(page: Page) -> None:
    """An example takes the cursor, so Ctrl + Enter sends it; other models hide behind nothing."""
    page.goto("/playground/")
    page.locator("a.btn", has_text="Write a Python function that retries").click()
    expect(page.get_by_placeholder("Ask anything")).to_be_focused()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("button", name="Ask again")).to_be_visible(timeout=30_000)
    page.get_by_role("link", name="Another model").click()
    expect(page.locator(".others .pick").first).to_be_visible()
    page.wait_for_function(f"({HIDDEN_PX})() === 0")


def test_thoughts_and_retries_stand_in_their_order(page: Page) -> None:
    """Reasoning is folded above its answer; a second retry follows the first, as after a reload."""
    page.goto("/playground/?model=kestrel-30b-a3b-reasoning")
    send(page, "Say ping.")
    again = page.get_by_role("button", name="Ask again")
    for count in (1, 2):
        expect(again).to_have_count(count, timeout=30_000)
        again.first.click()
    expect(again).to_have_count(3, timeout=30_000)
    ids = "els => els.map(one => one.id)"
    before = page.locator("#talk .answer").evaluate_all(ids)
    page.reload()
    expect(again).to_have_count(3)
    assert page.locator("#talk .answer").evaluate_all(ids) == before == sorted(before)
    page.get_by_text("Reasoning", exact=True).first.click()
    expect(page.locator(".thought").first).to_be_visible()
