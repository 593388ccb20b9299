"""Whatever is sent to the playground, the answer is clear and nothing typed is lost."""

from __future__ import annotations

import pytest
from django.test import AsyncClient

from playground.models import Run
from playground.planning import Ask, CannotPlan
from playground.services import ask
from tests.factories import amake_user
from tests.playground.conftest import Simulate

SEND = "/playground/send/"
HTMX = {"HX-Request": "true"}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"prompt": ""}, "Type a prompt first"),
        ({"prompt": "  \n "}, "Type a prompt first"),
        ({"prompt": "a\x00b"}, "Null characters"),
        ({"prompt": "x" * 2_000_000}, "at most 200000 can be sent"),
        ({"system": "x" * 30_000}, "at most 20000 can be sent"),
        ({"temperature": "1e9"}, "Give a number from 0 to 2"),
        ({"temperature": "nan"}, "Give a number from 0 to 2"),
        ({"temperature": "warm"}, "Give a number from 0 to 2"),
        ({"top_p": "-1"}, "Give a number from 0 to 1"),
        ({"max_tokens": "-5"}, "Give a whole number of tokens"),
        ({"max_tokens": "9" * 400}, "from 1 to 200\u202f000"),
        ({"seed": "abc"}, "Give a whole number from 0"),
        ({"stop": "a\nb\nc\nd\ne"}, "At most 4 stop sequences"),
        ({"stop": "x" * 200}, "at most 100 characters"),
        ({"task": "sing"}, "Choose one of the tasks"),
        ({"offer": "abc"}, "Choose one of the models shown"),
        ({"offer": "999999"}, "it can no longer be called"),
    ],
)
async def test_a_bad_field_is_told_in_place(
    operator_async_client: AsyncClient, simulate: Simulate, fields: dict[str, str], says: str
) -> None:
    """422 names the field and the remedy, short enough that the page keeps what was typed."""
    await simulate()
    response = await operator_async_client.post(
        SEND, {"prompt": "Say something", **fields}, headers=HTMX
    )
    assert response.status_code == 422
    assert response["HX-Retarget"] == "#composer-errors"
    text = response.content.decode()
    assert says in text
    assert len(text) < 5_000
    assert not await Run.objects.aexists()


async def test_an_error_stands_at_its_field(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """A refused parameter is told beside it, and the errors of before are taken away."""
    await simulate()
    response = await operator_async_client.post(
        SEND, {"prompt": "Say something", "temperature": "hot"}, headers=HTMX
    )
    text = response.content.decode()
    at_field = text.partition('id="temperature-error"')[2].partition('id="top_p-error"')
    assert "Give a number from 0 to 2" in at_field[0]
    assert at_field[2].startswith(' hx-swap-oob="innerHTML"></span>')


async def test_viewers_are_sent_nowhere_they_may_not_go(transactional_db: None) -> None:
    """The empty pages of a viewer name the role that is missing, without dead ends."""
    client = AsyncClient()
    await client.aforce_login(await amake_user(role="viewer"))
    for address in ("/playground/", "/playground/history/"):
        page = (await client.get(address)).content.decode()
        main = page.partition("<main")[2]
        assert "needs the role Operator" in main
        assert "Try a prompt" not in main
        assert 'class="btn" href="/playground/"' not in main


async def test_without_javascript_the_page_returns_with_what_was_typed(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """The whole page comes back, errors first, prompt and parameters as they were."""
    await simulate()
    response = await operator_async_client.post(
        SEND, {"prompt": "Keep this text", "temperature": "hot", "system": "Be kind"}
    )
    text = response.content.decode()
    assert response.status_code == 422
    for kept in ("Keep this text", 'value="hot"', "Be kind", "Give a number", "aria-invalid"):
        assert kept in text


async def test_broken_utf8_is_no_accident(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """Bytes that are no text are taken as replacement characters, not as a failure."""
    await simulate()
    response = await operator_async_client.post(
        SEND,
        data=b"prompt=%ff%fe+hello&may_fall_back=on",
        content_type="application/x-www-form-urlencoded",
        headers=HTMX,
    )
    assert response.status_code == 200


async def test_a_prompt_too_long_for_everybody_is_told(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """When no context is long enough, the page says so instead of calling."""
    await simulate()
    response = await operator_async_client.post(SEND, {"prompt": "word " * 39_000}, headers=HTMX)
    assert response.status_code == 422
    assert "has room for" in response.content.decode()


async def test_with_nobody_to_call_the_page_names_the_remedy(
    operator_async_client: AsyncClient,
) -> None:
    """No provider at all: the empty state leads to the keys, and sending says the same."""
    page = await operator_async_client.get("/playground/")
    assert "No model can be called yet" in page.content.decode()
    response = await operator_async_client.post(SEND, {"prompt": "Hello"}, headers=HTMX)
    assert response.status_code == 422
    assert "Add a provider key" in response.content.decode()


@pytest.mark.parametrize(
    "address", ["send/", "recommend/", "runs/1/stop/", "runs/1/retry/", "1/rename/", "1/delete/"]
)
async def test_what_changes_things_is_a_post(
    operator_async_client: AsyncClient, address: str
) -> None:
    """Following a link never sends, stops or deletes."""
    assert (await operator_async_client.get(f"/playground/{address}")).status_code == 405


@pytest.mark.parametrize("address", ["send/", "recommend/", "runs/1/stop/", "runs/1/retry/"])
async def test_viewers_read_only(transactional_db: None, address: str) -> None:
    """Sending needs an operator; a viewer gets a 403 whatever the page shows."""
    client = AsyncClient()
    await client.aforce_login(await amake_user(role="viewer"))
    response = await client.post(f"/playground/{address}", {"prompt": "Hello"})
    assert response.status_code == 403
    page = (await client.get("/playground/")).content.decode()
    assert "data-composer" not in page
    assert "needs the role" in page


@pytest.mark.parametrize(
    "address",
    ["?model=no-such-model", "?prompt=" + "x" * 5_000, "history/?page=99999", "history/?page=x",
     "history/?q=%F0%9F%98%80"],
)  # fmt: skip
async def test_odd_addresses_show_a_page(
    operator_async_client: AsyncClient, simulate: Simulate, address: str
) -> None:
    """An unknown model, an absurd page: the page without it."""
    await simulate()
    assert (await operator_async_client.get(f"/playground/{address}")).status_code == 200


@pytest.mark.parametrize(
    "address", ["99999/", "99999/export.md", "99999/export.json", "runs/99999/stream/"]
)
async def test_what_does_not_exist_is_a_404(
    operator_async_client: AsyncClient, address: str
) -> None:
    """A removed conversation in a bookmark is a clear 404."""
    assert (await operator_async_client.get(f"/playground/{address}")).status_code == 404


async def test_a_conversation_of_somebody_else_takes_no_prompt(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """An id in a hidden field is no key."""
    await simulate()
    fields = {"prompt": "Hello", "conversation": "12345"}
    assert (await operator_async_client.post(SEND, fields, headers=HTMX)).status_code == 404
    assert (
        await operator_async_client.post("/playground/recommend/", fields, headers=HTMX)
    ).status_code == 404


async def test_huge_ids_are_not_found(operator_async_client: AsyncClient) -> None:
    """A number no database can hold is a 404 like any other."""
    number = "9" * 40
    for address in (f"{number}/", f"{number}/export.md", f"runs/{number}/stream/"):
        assert (await operator_async_client.get(f"/playground/{address}")).status_code == 404


@pytest.mark.parametrize("field", ["offer", "conversation"])
async def test_a_number_too_long_to_be_read_is_refused_on_the_page(
    operator_async_client: AsyncClient, simulate: Simulate, field: str
) -> None:
    """Python reads no number of more than 4 300 digits; the page that says so must not either."""
    await simulate()
    response = await operator_async_client.post(
        SEND, {"prompt": "Say something", field: "9" * 5_000}
    )
    assert response.status_code == 422
    assert "Say something" in response.content.decode()
    address = f"/playground/{'9' * 5_000}/export.md"
    assert (await operator_async_client.get(address)).status_code == 404


async def test_a_turn_in_a_conversation_deleted_meanwhile_is_refused(simulate: Simulate) -> None:
    """Another tab may delete it between the look at the form and the keeping of the run."""
    await simulate()
    gone = Ask(prompt="Say something", conversation_id=999_999)
    user = await amake_user(role="operator")
    with pytest.raises(CannotPlan, match="deleted meanwhile"):
        await ask(user, gone, None, {"may_fall_back": True})
    assert not await Run.objects.aexists()
