"""The web process is killed, or asked to stop, while it streams: nothing said is lost."""

from __future__ import annotations

import csv
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


def web_process(product: Product) -> psutil.Process:
    assert product.process is not None
    children = psutil.Process(product.process.pid).children(recursive=True)
    return next(one for one in children if "uvicorn" in " ".join(one.cmdline()))


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


def calls(client: httpx.Client) -> list[dict[str, str]]:
    return list(csv.DictReader(client.get("/monitoring/calls.csv").text.splitlines()))


def wait_for_calls(client: httpx.Client, count: int) -> list[dict[str, str]]:
    """The calls on record once there are so many, the newest first."""
    deadline = time.monotonic() + WITHIN_S
    found: list[dict[str, str]] = []
    while time.monotonic() < deadline and len(found) < count:
        with suppress(httpx.TransportError):
            found = calls(client)
        time.sleep(0.2)  # another process writes them in its own time
    return found


def test_an_interrupted_answer_is_kept_and_told(product: Product, client: httpx.Client) -> None:
    """Killed: the part that came stays with Retry, and the call is on record without anybody
    looking. Asked to stop: open streams end at once, and the log has nothing to complain of.
    """
    _, finished = send(client, "Say ping.")
    assert "event: done" in client.get(finished).text

    conversation, stream = send(client, LONG)
    with client.stream("GET", stream) as answer:
        told = answer.iter_text()
        # What came in the last half second may not be written yet; three blocks take longer.
        for _ in range(3):
            next(part for part in told if "event: block" in part)
        web_process(product).kill()
        with suppress(httpx.TransportError):  # some hear a reset, some only the end
            assert "event: done" not in "".join(told)

    newest, *others = wait_for_calls(client, 2)
    assert (newest["outcome"], newest["course"], newest["source"]) == (
        "cut",
        "failed",
        "playground",
    )
    assert newest["provider"].startswith("sim-")
    assert int(newest["prompt_tokens"]) > 0
    assert int(newest["completion_tokens"]) > 0
    assert newest["is_usage_estimated"] == "True"
    assert [one["outcome"] for one in others] == ["answered"]

    page = page_with(client, conversation, "was restarted while this was answered")
    assert "This is a simulated answer" in page
    assert "What came until then is kept" in page
    assert "Retry" in page
    assert "data-stop" not in page
    assert client.get(stream).text.count("event: done") == 1
    assert len(calls(client)) == 2, "told once, however often it is found"

    retry = client.post(stream.replace("stream", "retry"), headers={"HX-Request": "true"})
    again = re.search(r'sse-connect="([^"]+)"', retry.text)
    assert again is not None
    with (
        client.stream("GET", "/monitoring/live/") as live,
        client.stream("GET", again.group(1)) as answer,
    ):
        told = answer.iter_text()
        next(part for part in told if "event: block" in part)
        web_process(product).terminate()
        with suppress(httpx.TransportError):
            assert "event: done" not in "".join(told)
        with suppress(httpx.TransportError):
            live.read()
    page = page_with(client, conversation, "asked again")
    assert page.count("Ask again to go on. What came until then is kept") == 2
    log = product.log("web")
    assert "Traceback" not in log
    assert "Cancel" not in log
    newest, *others = wait_for_calls(client, 3)
    assert (newest["outcome"], newest["is_usage_estimated"]) == ("cancelled", "True")
