"""The catalog taken along: as JSON, CSV and Markdown, under the page's own filters."""

from __future__ import annotations

import csv
import io
import json

import pytest
from asgiref.sync import sync_to_async
from django.core.management import CommandError, call_command
from django.test import AsyncClient

from catalog.records import FIELDS
from tests.factories import make_choice, make_model, make_offer, make_provider

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _catalog(transactional_db: None) -> None:
    groq = make_provider(
        slug="groq", name="Groq", limits={"rpm": 30}, key_url="https://groq.test/k"
    )
    wren = make_model("Wren 8B", specialties=["code"])
    offer = make_offer(groq, wren, external_id="=cmd|x", context_tokens=131_072)
    make_choice(offer, "note", "@Mine")
    make_offer(make_provider(slug="other", name="Other"), make_model("Heron | [70B]"))


async def _exported(client: AsyncClient, address: str) -> str:
    response = await client.get(f"/catalog/export.{address}")
    assert "attachment" in response["Content-Disposition"]
    return b"".join([piece async for piece in aiter(response)]).decode()  # type: ignore[arg-type]  # a streaming response


async def test_as_json(operator_async_client: AsyncClient) -> None:
    """Every field that is promised, of the offers that fit the filter."""
    told = json.loads(await _exported(operator_async_client, "json?provider=groq"))
    (one,) = told
    assert tuple(one) == FIELDS
    assert (one["model_name"], one["limits"], one["specialties"]) == (
        "Wren 8B",
        {"rpm": 30},
        ["code"],
    )
    assert (one["status"], one["is_callable"], one["set_by_admin"]) == ("listed", True, ["note"])
    assert len(json.loads(await _exported(operator_async_client, "json"))) == 2
    assert json.loads(await _exported(operator_async_client, "json?q=nothingatall")) == []


async def test_as_csv(operator_async_client: AsyncClient) -> None:
    """No cell that a spreadsheet would run."""
    rows = list(
        csv.DictReader(io.StringIO(await _exported(operator_async_client, "csv?provider=groq")))
    )
    (one,) = rows
    assert tuple(one) == FIELDS
    assert (one["external_id"], one["note"], one["limits"]) == ("'=cmd|x", "'@Mine", "rpm=30")


async def test_as_a_readable_list(operator_async_client: AsyncClient) -> None:
    """By provider, with terms, limits and the key's page; nothing breaks out of its cell."""
    text = await _exported(operator_async_client, "md")
    assert text.startswith("# Free LLM APIs\n\n2 models, 2 offers, as FreeLLM knew them on ")
    assert "## Groq\n\nFree, recurring. In general 30 rpm.\n\nKey: <https://groq.test/k>" in text
    assert "| Wren 8B | `=cmd\\|x` | 131k | 30 rpm | Code |" in text
    assert "| Heron \\| \\[70B\\] |" in text
    only = await _exported(operator_async_client, "md?provider=groq&q=wren")
    assert "Only: “wren”, Groq." in only
    assert "Heron" not in only


async def test_a_filter_nobody_understands_is_refused(operator_async_client: AsyncClient) -> None:
    """A file cannot carry a notice."""
    response = await operator_async_client.get("/catalog/export.csv?provider=nobody")
    assert response.status_code == 400
    assert "nobody" in response.content.decode()


@pytest.mark.parametrize("form", ["md", "json", "csv"])
async def test_the_command_writes_the_same(operator_async_client: AsyncClient, form: str) -> None:
    """Byte for byte, and under the same filters."""
    out = io.StringIO()
    command = sync_to_async(call_command)
    await command("export_catalog", format=form, filter="provider=groq", stdout=out)
    assert out.getvalue() == await _exported(operator_async_client, f"{form}?provider=groq")
    with pytest.raises(CommandError, match="nobody"):
        await command("export_catalog", format=form, filter="provider=nobody", stdout=out)
