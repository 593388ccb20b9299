"""The two ways to add a provider, done exactly as docs/providers.md shows them."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from django.conf import settings

from catalog import mapping
from catalog.models import Provider
from catalog.services import queue_refresh
from catalog.sources import shapes
from catalog.sources.registry import is_known
from catalog.sync import sync_catalog
from catalog.tasks import run
from tests.catalog.list_server import ListServer

pytestmark = pytest.mark.django_db


def example(language: str) -> str:
    """The page's block of code in this language."""
    page = (settings.BASE_DIR / "docs" / "providers.md").read_text(encoding="utf-8")
    before, fence, rest = page.partition(f"```{language}\n")
    assert fence, f"docs/providers.md has no example in {language}"
    indent = before.rpartition("\n")[2]
    return dedent(indent + rest.partition("```")[0])


@pytest.fixture
def server() -> Iterator[ListServer]:
    server = ListServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the mapping's files that is read in their place."""
    copy = shutil.copytree(mapping.DATA, tmp_path / "data")
    monkeypatch.setattr(mapping, "DATA", copy)
    mapping.bundled.cache_clear()
    yield copy
    mapping.bundled.cache_clear()


@pytest.fixture
def shape_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose modules are shapes like those of catalog/sources/shapes/."""
    folder = tmp_path / "shapes"
    folder.mkdir()
    monkeypatch.setattr(shapes, "__path__", [*shapes.__path__, str(folder)])
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if name.startswith(f"{shapes.__name__}."):
            del sys.modules[name]
            delattr(shapes, name.rpartition(".")[2])


def added(data: Path, entry: str) -> Provider:
    """Add an entry to the mapping, start, and refresh it; answer its provider."""
    with (data / "providers.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n{entry}")
    sync_catalog()
    provider = Provider.objects.get(slug="acme")
    run(queue_refresh(provider).pk)
    return provider


def offered(provider: Provider) -> set[tuple[str, str, int | None]]:
    offers = provider.offers.values_list("external_id", "model__name", "context_tokens")
    return set(offers)


def test_a_provider_of_a_known_shape_is_an_entry(
    server: ListServer, data: Path, settings: Any
) -> None:
    """Its list is asked with the key of its variable, and its rule says what is free."""
    settings.PROVIDER_KEYS_FROM_ENV = {"ACME_API_KEY": "secret-of-acme"}
    server.lists("/v1/models", "wren-8b-free", "wren-8b", "wren-embed-free", context_length=8192)

    entry = example("toml").replace("https://api.acme.example", server.url)
    provider = added(data, entry)

    assert offered(provider) == {("wren-8b-free", "Wren 8B", 8192)}
    assert [headers["authorization"] for _, headers in server.requests] == ["Bearer secret-of-acme"]


def test_a_new_shape_is_a_file(
    server: ListServer, data: Path, shape_folder: Path, settings: Any
) -> None:
    """Nothing else is told of it: the entry names it, and its pages are turned."""
    settings.PROVIDER_KEYS_FROM_ENV = {"ACME_API_KEY": "secret-of-acme"}
    first = [
        {"code": "wren-8b", "title": "Wren 8B", "window": "8192", "price": "0.00"},
        {"code": "heron-200b", "title": "Heron 200B", "window": 8192, "price": 2},
    ]
    server.answers_json("/v1/models", {"models": first, "more": "x&y"})
    server.answers_json("/v1/models?from=x%26y", {"models": [{"code": "kite-3b", "price": 0}]})
    assert not is_known("acme-list")

    (shape_folder / "acme_list.py").write_text(example("python"), encoding="utf-8")
    importlib.invalidate_caches()
    entry = (
        example("toml")
        .replace("https://api.acme.example", server.url)
        .replace('list_dialect = "openai"', 'list_dialect = "acme-list"\nid_field = "code"')
        .replace('list_items_path = "data"', 'list_items_path = "models"')
        .replace('keep_suffixes = ["-free"], ', "")
    )
    provider = added(data, entry)

    assert offered(provider) == {("wren-8b", "Wren 8B", 8192), ("kite-3b", "Kite 3B", None)}
