"""What people come for, from one end to the other, in a real browser."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks import ground
from tests.browser.test_frame import serious
from tests.product import Product

CODE = "Write a Python function that parses a duration such as 2m59.56s."
LONG = "Write a very long story about night trains, in twenty chapters, with every detail."
PASSWORD = "tidal-power-1966"
GOOD_KEY = "sk-journey-0123456789abcdef"
PAGES = [
    "/",
    "/catalog/",
    "/catalog/?q=llama",
    "/catalog/models/gpt-oss-120b/",
    "/catalog/providers/",
    "/catalog/providers/groq/",
    "/catalog/changes/",
    "/catalog/providers/own/add/",
    "/playground/",
    "/playground/history/",
    "/monitoring/",
    "/monitoring/calls/",
]
OWN = f"""
name = "own"
seed = 5
[[providers]]
slug = "sim-own"
name = "Simulator Own"
style = "openai"
keys = ["{GOOD_KEY}"]
limits = {{ rpm = 600, tpm = 1000000 }}
[[providers.models]]
id = "merlin-9b"
name = "Merlin 9B"
context_tokens = 32768
"""


@pytest.fixture(scope="module")
def own_server() -> Iterator[str]:
    """An OpenAI-compatible server that asks for a key."""
    with ground.simulator(OWN) as url:
        yield f"{url}/sim-own/v1"


def simulator_state(product: Product) -> dict[str, dict[str, Any]]:
    url = f"http://127.0.0.1:{product.simulator_port}/_sim/state"
    with urllib.request.urlopen(url, timeout=5) as answer:
        providers: dict[str, dict[str, Any]] = json.load(answer)["providers"]
    return providers


def ask(page: Page, prompt: str) -> None:
    page.get_by_placeholder("Ask anything").fill(prompt)
    page.keyboard.press("Control+Enter")


def test_signing_in_by_name_and_password(page: Page, stranger: Page) -> None:
    """A link sets a password; from then on name and password open the door."""
    page.goto("/users/")
    page.get_by_label("Name", exact=True).fill("ada")
    page.get_by_role("button", name="Add and make a link").click()
    stranger.goto(page.get_by_label("Link", exact=True).input_value())
    stranger.get_by_role("button", name="Sign in").click()
    for field in stranger.locator("input[type=password]").all():
        field.fill(PASSWORD)
    stranger.get_by_role("button", name="Keep name and password").click()
    stranger.locator(".rail").get_by_role("button", name="ada").click()
    stranger.get_by_role("button", name="Sign out").locator("visible=true").click()
    stranger.get_by_label("Name", exact=True).fill("ada")
    stranger.get_by_label("Password").fill("not-the-password")
    stranger.get_by_role("button", name="Sign in").click()
    expect(stranger.locator(".callout.bad, .error").first).to_be_visible()
    expect(stranger.get_by_label("Name", exact=True)).to_have_value("ada")
    stranger.get_by_label("Password").fill(PASSWORD)
    stranger.get_by_role("button", name="Sign in").click()
    expect(stranger).not_to_have_url(re.compile("sign-in"))


def test_a_prompt_streams_an_answer_and_appears_on_the_charts(page: Page) -> None:
    """Picks with reasons, an answer from the simulator, and the call on the live page."""
    page.goto("/playground/")
    page.get_by_placeholder("Ask anything").fill(CODE)
    expect(page.get_by_text("coder model").first).to_be_visible()
    expect(page.get_by_text("quota left").first).to_be_visible()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("This is a simulated answer").first).to_be_visible()
    expect(page.locator(".stats").get_by_text("tok/s").last).to_be_visible(timeout=30_000)
    expect(page.locator("pre code").first).to_contain_text("def ")
    expect(page).to_have_url(re.compile(r"/playground/\d+/"))
    conversation = page.url
    page.goto("/monitoring/")
    expect(page.get_by_role("row").filter(has_text="Simulator").first).to_be_visible(timeout=2_000)
    page.goto("/monitoring/calls/")
    expect(page.get_by_role("row").filter(has_text="Simulator").first).to_be_visible()
    page.goto(conversation)
    expect(page.get_by_text("This is a simulated answer").first).to_be_visible()


def test_stop_cancels_upstream(page: Page, product: Product) -> None:
    """The partial answer stays, and the provider sees the connection go."""

    def gone() -> int:
        return sum(one["disconnected"] for one in simulator_state(product).values())

    before = gone()
    page.goto("/playground/")
    ask(page, LONG)
    expect(page.get_by_text("This is a simulated answer").first).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text(re.compile("stopped", re.IGNORECASE)).first).to_be_visible()
    expect(page.get_by_text("This is a simulated answer").first).to_be_visible()
    assert gone() == before + 1


def test_the_live_chart_moves_by_itself(page: Page, browser: Browser, product: Product) -> None:
    """A call made elsewhere shows up without a reload."""
    page.goto("/playground/")
    ask(page, "Say ping.")
    expect(page.get_by_role("button", name="Ask again").last).to_be_visible(timeout=30_000)
    page.goto("/monitoring/")
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    tokens = page.locator(".tiles > div", has_text="Tokens out").first
    before = tokens.inner_text()
    context = browser.new_context(base_url=product.url, storage_state=product.state)
    other = context.new_page()
    other.goto("/playground/")
    ask(other, "Say ping.")
    expect(other.get_by_role("button", name="Ask again").last).to_be_visible(timeout=30_000)
    context.close()
    expect(tokens).not_to_have_text(before, timeout=5_000, use_inner_text=True)


def test_catalog_search_lives_in_the_address(page: Page) -> None:
    """Typing narrows the list; the address can be shared; nothing found says so."""
    page.goto("/catalog/")
    page.get_by_placeholder("Name, id or family").fill("llama 3.3")
    expect(page).to_have_url(re.compile(r"q=llama"))
    expect(
        page.get_by_role("link", name="Llama 3.3 70B Instruct", exact=True).first
    ).to_be_visible()
    page.reload()
    expect(page.get_by_placeholder("Name, id or family")).to_have_value("llama 3.3")
    page.get_by_placeholder("Name, id or family").fill("no such model anywhere")
    expect(page.get_by_text(re.compile("no model", re.IGNORECASE)).first).to_be_visible()


def test_keys_walk_the_catalog(page: Page) -> None:
    """`j` goes from name to name, also past an open row's offers; Enter opens the model."""
    page.goto("/catalog/?open=heron-70b&q=heron+70b")
    expect(page.locator("tr.detail")).to_be_visible()
    offers = page.locator("tr.detail tbody tr")
    for _ in range(1 + offers.count()):
        page.keyboard.press("j")
    expect(offers.last.locator("a").first).to_be_focused()
    for _ in range(offers.count()):
        page.keyboard.press("k")
    expect(page.get_by_role("link", name="Heron 70B Instruct", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Heron 70B Instruct")


def test_hiding_an_offer_can_be_undone(page: Page) -> None:
    """The button says what happened, and the toast takes it back."""
    page.goto("/catalog/models/heron-70b/")
    page.get_by_role("button", name="Hide heron-70b of Simulator Atlas").click()
    expect(page.locator("#toasts")).to_contain_text("is hidden and no longer called")
    assert serious(page) == []
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#toasts")).to_contain_text("is shown again")


def test_an_own_endpoint_with_a_key_answers(page: Page, own_server: str) -> None:
    """Added in the page, refused with a wrong key, right with the right one, then called."""
    page.goto("/catalog/providers/own/add/")
    page.get_by_label("Name", exact=True).fill("Own server")
    page.get_by_label("Base URL").fill(own_server)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text(re.compile("private", re.IGNORECASE)).first).to_be_visible()
    expect(page.get_by_label("Base URL")).to_have_value(own_server)

    page.get_by_label("Allow private addresses").check()
    page.get_by_label("API key").fill("sk-wrong-0123456789abcdef")
    page.get_by_role("button", name="Only test").click()
    expect(
        page.get_by_text(re.compile("refused|wrong key|rejected", re.IGNORECASE)).first
    ).to_be_visible()

    page.get_by_label("API key").fill(GOOD_KEY)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("h1")).to_have_text("Own server")
    expect(page.get_by_text("merlin-9b").first).to_be_visible()
    assert GOOD_KEY not in page.content()

    page.get_by_label("API key").fill("sk-other-wrong-0123456789")
    page.get_by_role("button", name="Check and keep").click()
    expect(page.get_by_text(re.compile("was refused", re.IGNORECASE)).first).to_be_visible()

    page.goto("/playground/?model=merlin-9b")
    ask(page, CODE)
    expect(page.get_by_text("Simulator Own").first).to_be_visible()


def test_a_phone_can_ask(phone: Page) -> None:
    """The whole way on a narrow screen, by touch."""
    phone.goto("/playground/")
    phone.get_by_placeholder("Ask anything").fill("Say ping.")
    phone.get_by_role("button", name="Send").tap()
    expect(phone.locator(".stats").get_by_text("first token").last).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("path", PAGES)
def test_pages_fit_a_phone(path: str, phone: Page) -> None:
    """No page scrolls sideways."""
    phone.goto(path)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_have_no_serious_findings(path: str, theme: str, page: Page) -> None:
    """Axe finds nothing serious, in either theme."""
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce")
    page.goto(path)
    assert serious(page) == []


def test_without_javascript_the_form_returns_the_answer(page_without_js: Page) -> None:
    """Posting the form is enough; so are links for the catalog."""
    page = page_without_js
    page.goto("/playground/")
    page.get_by_placeholder("Ask anything").fill("Say ping.")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("This is a simulated answer").first).to_be_visible(timeout=30_000)
    page.goto("/catalog/?q=llama")
    page.get_by_role("link", name="Llama 3.3 70B Instruct", exact=True).first.click()
    expect(page.locator("h1")).to_have_text("Llama 3.3 70B Instruct")


def test_a_refresh_shows_its_progress_and_result(page: Page) -> None:
    """The worker renews the lists, and the page tells when it is done."""
    page.goto("/catalog/")
    page.get_by_role("button", name=re.compile("Refresh")).first.click()
    expect(
        page.get_by_text(re.compile("refreshed|done|lists? (are|were) read", re.IGNORECASE)).first
    ).to_be_visible(timeout=40_000)
