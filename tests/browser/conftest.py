"""A real product (`python -m freellm_site.start`) and a real Chromium to drive it with."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.browser_setup import chromium
from tests.product import Product

# One product serves all browser tests, so they run in one process.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


# What a page shows may come late on a busy machine; what it must not show is awaited, too.
PATIENCE_MS = 15_000
expect.set_options(timeout=PATIENCE_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="session")
def product() -> Iterator[Product]:
    with tempfile.TemporaryDirectory(prefix="flb") as folder:
        product = Product(Path(folder))
        try:
            product.start()
            # Also once a test has added an endpoint, after which it would step back.
            product.manage("shell", "-c", KEEP_SIMULATOR)
            yield product
        finally:
            product.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("No Chromium; see tests/browser_setup.py")
        pytest.skip("no Chromium on this machine; `make test` installs one where it can")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--disable-background-networking",
                "--disable-component-update",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture
def console() -> list[str]:
    """What the pages of this test complained about; checked empty at the end."""
    return []


KEEP_SIMULATOR = """
from catalog import generation
from catalog.models import SiteChoice
SiteChoice.objects.update_or_create(pk=1, defaults={"simulator": "on"})
generation.bump()
"""


def _is_complaint(message: ConsoleMessage) -> bool:
    """A refused form is told by the browser as a failed resource; here it is meant."""
    is_refusal = "status of 422" in message.text
    return message.type in {"error", "warning"} and not is_refusal


def _watched(page: Page, console: list[str]) -> Page:
    page.set_default_timeout(PATIENCE_MS)
    page.on("pageerror", lambda error: console.append(str(error)))
    page.on(
        "console",
        lambda message: (
            console.append(f"{message.text} ({message.location.get('url')})")
            if _is_complaint(message)
            else None
        ),
    )
    return page


@pytest.fixture
def page(browser: Browser, product: Product, console: list[str]) -> Iterator[Page]:
    """A desktop page, signed in as the first admin, whose console must stay clean."""
    context = browser.new_context(
        base_url=product.url, viewport={"width": 1440, "height": 900}, storage_state=product.state
    )
    yield _watched(context.new_page(), console)
    context.close()
    assert console == []


@pytest.fixture
def phone(browser: Browser, product: Product, console: list[str]) -> Iterator[Page]:
    """As `page`, on a phone."""
    context = browser.new_context(
        base_url=product.url,
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
        storage_state=product.state,
    )
    yield _watched(context.new_page(), console)
    context.close()
    assert console == []


@pytest.fixture
def page_without_js(browser: Browser, product: Product) -> Iterator[Page]:
    context = browser.new_context(
        base_url=product.url, java_script_enabled=False, storage_state=product.state
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    yield page
    context.close()


@pytest.fixture
def stranger(browser: Browser, product: Product, console: list[str]) -> Iterator[Page]:
    """A page of somebody who has not signed in."""
    context = browser.new_context(base_url=product.url, viewport={"width": 1440, "height": 900})
    yield _watched(context.new_page(), console)
    context.close()
