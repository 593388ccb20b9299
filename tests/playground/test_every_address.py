"""Each address of the playground against each kind of nonsense: never a failure, always words."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any, NamedTuple

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient

from playground.models import Conversation, Run, RunState
from tests.factories import amake_user, make_user
from tests.playground.conftest import Simulate

HUGE = "9" * 40
FORM = "application/x-www-form-urlencoded"


class Address(NamedTuple):
    path: str  # {c} a conversation, {r} a run
    method: str
    field: str = ""  # one that takes text


ADDRESSES = [
    Address("", "GET", "prompt"),
    Address("recommend/", "POST", "prompt"),
    Address("send/", "POST", "prompt"),
    Address("runs/{r}/stream/", "GET"),
    Address("runs/{r}/stop/", "POST"),
    Address("runs/{r}/others/", "GET"),
    Address("runs/{r}/retry/", "POST", "offer"),
    Address("history/", "GET", "q"),
    Address("{c}/", "GET", "prompt"),
    Address("{c}/rename/", "POST", "title"),
    Address("{c}/delete/", "POST"),
    Address("{c}/export.md", "GET"),
    Address("{c}/export.json", "GET"),
]
NONSENSE: dict[str, bytes] = {
    "nothing": b"",
    "a NUL byte": b"a%00b",
    "broken UTF-8": b"%ff%fe%c3%28",
    "a lone surrogate": b"%ed%a0%80",
    "an absurd number": HUGE.encode(),
    "a negative number": b"-1",
    "no number": b"nan",
    "two megabytes": b"x" * 2_000_000,
}
with_addresses = pytest.mark.parametrize("address", ADDRESSES, ids=lambda one: one.path or "home")


@sync_to_async
def own_run(user: Any) -> Run:
    conversation = Conversation.objects.create(user=user, title="About birds")
    run: Run = Run.objects.create(
        conversation=conversation, position=1, context_before=1, prompt="What is a wren?",
        task="question", complexity="simple", state=RunState.DONE, answer="A bird.",
    )  # fmt: skip
    return run


def path_of(address: Address, conversation: object, run: object) -> str:
    return "/playground/" + address.path.format(c=conversation, r=run)


async def client_and_run() -> tuple[AsyncClient, Run]:
    user = await amake_user(role="operator")
    client = AsyncClient(raise_request_exception=False)
    await client.aforce_login(user)
    return client, await own_run(user)


async def sentence_in(response: Any) -> str:
    """What a person reads in it; redirects and empty answers lead back to a page."""
    parts = [part async for part in response] if response.streaming else [response.content]
    body = b"".join(parts)
    return " ".join(re.sub(r"<[^>]+>", " ", body.decode()).split())


async def check(response: Any) -> None:
    assert response.status_code < 500
    if response.status_code not in {204, 302, 405}:
        assert len(await sentence_in(response)) > 3


def test_the_table_holds_every_address() -> None:
    """A new address is tested against nonsense as well."""
    patterns = import_module("playground.urls").urlpatterns
    assert len(patterns) == len(ADDRESSES) - 1  # one pattern serves both exports


@with_addresses
async def test_a_wrong_method_is_refused(transactional_db: None, address: Address) -> None:
    """405, and nothing happens."""
    client, run = await client_and_run()
    path = path_of(address, run.conversation_id, run.pk)
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - {address.method}:
        response = await client.generic(method, path)
        assert response.status_code == 405, method
        assert address.method in response["Allow"]
    assert await Run.objects.acount() == 1


@with_addresses
@pytest.mark.parametrize("kind", NONSENSE)
async def test_nonsense_gets_a_clear_answer(
    simulate: Simulate, address: Address, kind: str
) -> None:
    """Whatever stands in a field, the answer has words and no server error."""
    await simulate()
    client, run = await client_and_run()
    path = path_of(address, run.conversation_id, run.pk)
    value = NONSENSE[kind]
    for field in (address.field or "unknown", "conversation", "page", "model", "offer"):
        body = field.encode() + b"=" + value
        if address.method == "POST":
            response = await client.post(path, data=body, content_type=FORM)
        else:
            # A server refuses a longer address by itself.
            response = await client.get(f"{path}?{body[:8_000].decode()}")
        await check(response)


@pytest.mark.parametrize("address", [one for one in ADDRESSES if "{" in one.path])
async def test_what_is_not_yours_is_not_there(transactional_db: None, address: Address) -> None:
    """Somebody else's ids, and ids no database can hold, are 404s like ids that never were."""
    client, _ = await client_and_run()
    foreign = await own_run(await sync_to_async(make_user)(role="operator"))
    for conversation, run in ((foreign.conversation_id, foreign.pk), (HUGE, HUGE), (0, 0)):
        path = path_of(address, conversation, run)
        response = await client.generic(address.method, path)
        assert response.status_code == 404, path
        assert len(await sentence_in(response)) > 3
    assert await Run.objects.acount() == 2
