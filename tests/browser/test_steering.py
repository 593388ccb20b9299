"""Pages from which somebody steers: remove from the cache, take a call out, see a worker's work."""

from __future__ import annotations

import threading

import httpx
from playwright.sync_api import Page, expect

from tests.browser.test_frame import serious
from tests.product import Product

KEEP = """
import asyncio
from catalog.engine import engine
from gateway.cache.kinds import MODEL_METADATA

async def keep():
    async with engine() as gateway:
        gateway.cache.put(MODEL_METADATA, "pigeons", {"text": "A wrong answer"})
        await gateway.drain()

asyncio.run(keep())
"""


def confirm(page: Page, button: str) -> None:
    page.locator("#confirm").get_by_role("button", name=button, exact=True).click()


def test_a_wrong_entry_is_found_and_removed(page: Page, product: Product) -> None:
    """Seen before it goes; afterwards it is nowhere."""
    product.manage("shell", "-c", KEEP)
    page.goto("/monitoring/cache/?kind=model_metadata&range=1h")
    expect(page.locator(".js-plotly-plot")).to_be_visible()
    row = page.get_by_role("row", name="Facts of models")
    expect(row).to_contain_text("1")
    assert serious(page) == []
    row.get_by_role("link", name="Facts of models").click()
    page.get_by_label("Words in the entry").fill("wrong answer")
    page.get_by_role("button", name="Find", exact=True).click()
    page.get_by_role("row").nth(1).get_by_role("link").click()
    expect(page.get_by_text("A wrong answer")).to_be_visible()
    page.get_by_role("button", name="Remove").click()
    confirm(page, "Remove")
    expect(page.get_by_text("1 entry removed from Redis, 1 from this disk")).to_be_visible()
    expect(page.get_by_text("Nothing is kept")).to_be_visible()


def test_a_waiting_call_is_taken_out(page: Page, product: Product) -> None:
    """Pause every provider, see the call wait, take it out, let the others go."""
    page.goto("/monitoring/queue/")
    assert serious(page) == []
    page.get_by_label("Why").fill("To see a call wait")
    page.get_by_role("button", name="Hold back").click()
    confirm(page, "Hold back")
    expect(page.get_by_text("Every provider is being paused.")).to_be_visible()
    sending = threading.Thread(target=send, args=[product])  # its answer comes with the call's end
    sending.start()
    waits = page.get_by_text("waits for a place", exact=True)
    expect(waits).to_be_visible()
    page.get_by_role("button", name="Take out").click()
    confirm(page, "Take out")
    expect(page.get_by_text("is taken out")).to_be_visible()
    expect(waits).to_be_hidden()
    sending.join()
    page.get_by_role("button", name="Let the calls of Every provider go").click()
    expect(page.get_by_text("Calls go on.")).to_be_visible()
    expect(page.get_by_text("To see a call wait")).to_be_hidden()
    page.goto("/monitoring/calls/?outcome=cancelled")
    expect(page.locator("#call-rows")).to_contain_text("Cancelled")


def send(product: Product) -> None:
    """A prompt, by the plain form; its call then waits in the web process."""
    cookies = {one["name"]: one["value"] for one in product.state["cookies"]}
    headers = {"X-CSRFToken": cookies["csrftoken"], "Referer": product.url}
    with httpx.Client(base_url=product.url, cookies=cookies, trust_env=False, timeout=60) as client:
        answer = client.post("/playground/send/", data={"prompt": "Wait here."}, headers=headers)
    assert answer.status_code == 302


def test_a_worker_and_its_task_are_seen(page: Page) -> None:
    """Worker and beat are alive; what a worker did at its start stands among the results."""
    page.goto("/monitoring/tasks/")
    workers = page.get_by_role("region", name="Workers")
    expect(workers.get_by_text("alive")).to_have_count(2)
    expect(page.get_by_role("region", name="Last results")).to_contain_text("settle")
    expect(page.get_by_role("heading", level=1)).to_contain_text("1 worker")
    assert serious(page) == []
    page.get_by_role("link", name="All results").click()
    page.get_by_label("How it ended").select_option("done")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("region", name="Results")).to_contain_text("settle")
