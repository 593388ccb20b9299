"""The web process is killed while it streams: nothing hangs, nothing said is lost."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import suppress

import httpx
import psutil
import pytest

from tests.product import Product

pytestmark = pytest.mark.xdist_group("product")

WITHIN_S = 40.0
LONG = "Write a very long story about night trains, in twenty chapters, with every detail."


@pytest.fixture
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    product = Product(tmp_path_factory.mktemp("k"))
    product.start()
    yield product
    product.stop()


@pytest.fixture
def client(product: Product) -> Iterator[httpx.Client]:
    cookies = {one["name"]: one["value"] for one in product.state["cookies"]}
    headers = {"X-CSRFToken": cookies["csrftoken"]}
    with httpx.Client(
        base_url=product.url, cookies=cookies, headers=headers, timeout=20, trust_env=False
    ) as client:
        yield client


def kill_web(product: Product) -> None:
    assert product.process is not None
    children = psutil.Process(product.process.pid).children(recursive=True)
    next(one for one in children if "uvicorn" in " ".join(one.cmdline())).kill()
    product.wait_for_line("web ended; starting it again")


def send(client: httpx.Client, prompt: str) -> tuple[str, str]:
    """The addresses of the conversation and of the run's stream."""
    begun = client.post(
        "/playground/send/", data={"prompt": prompt}, headers={"HX-Request": "true"}
    )
    stream = re.search(r'sse-connect="([^"]+)"', begun.text)
    assert stream is not None, begun.text
    return httpx.URL(begun.headers["HX-Push-Url"]).path, stream.group(1)


def page_with(client: httpx.Client, address: str, text: str) -> str:
    """The page once it holds `text`; the server may not be back yet."""
    deadline = time.monotonic() + WITHIN_S
    page = ""
    while time.monotonic() < deadline:
        try:
            page = client.get(address).text
        except httpx.TransportError:
            page = ""
        if text in page:
            return page
        time.sleep(0.2)  # another process starts in its own time
    raise AssertionError(f"no {text!r} in {page}")


def test_a_killed_web_process_leaves_an_interrupted_run(
    product: Product, client: httpx.Client
) -> None:
    """The part that came is shown with Retry, which works; calls that had ended are on record."""
    _, finished = send(client, "Say ping.")
    assert "event: done" in client.get(finished).text

    conversation, stream = send(client, LONG)
    with client.stream("GET", stream) as answer:
        told = answer.iter_text()
        # What came in the last half second may not be written yet; three blocks take longer.
        for _ in range(3):
            next(part for part in told if "event: block" in part)
        kill_web(product)
        with suppress(httpx.TransportError):  # some hear a reset, some only the end
            assert "event: done" not in "".join(told)

    page = page_with(client, conversation, "was restarted while this was answered")
    assert "This is a simulated answer" in page
    assert "What came until then is kept" in page
    assert "Retry" in page
    assert "data-stop" not in page
    assert client.get(stream).text.count("event: done") == 1

    # What was cut off by the kill is told by the run alone: nobody was left to record it.
    calls = page_with(client, "/monitoring/calls/", "Simulator")
    assert "1 call" in re.sub(r"<[^>]+>|\s+", " ", calls)

    retry = client.post(stream.replace("stream", "retry"), headers={"HX-Request": "true"})
    again = re.search(r'sse-connect="([^"]+)"', retry.text)
    assert again is not None
    with client.stream("GET", again.group(1)) as answer:
        told = answer.iter_text()
        next(part for part in told if "event: tail" in part)
        client.post(again.group(1).replace("stream", "stop"), headers={"HX-Request": "true"})
        assert "You stopped this answer" in "".join(told)
