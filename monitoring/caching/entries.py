"""Entries of the cache as pages show them.

Everybody may see that an entry is there, how old and how large it is, and of which provider. Whose
it is and what it says is for admins: an answer may repeat what its owner asked. No entry holds a
prompt or a key; credentials are in no store at all.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from asgiref.sync import async_to_sync

from catalog.engine import engine
from gateway.cache.clearing import Gone
from gateway.cache.shelf import Kept, Page

SHOWN_CHARS = 20_000


@dataclass(frozen=True, slots=True)
class EntryRow:
    kept: Kept
    shows_owner: bool

    @property
    def made_at(self) -> datetime:
        return datetime.fromtimestamp(self.kept.entry.made_at, UTC)

    @property
    def leaves_at(self) -> datetime | None:
        left_s = self.kept.leaves_in_s
        return None if left_s is None else datetime.fromtimestamp(time.time() + left_s, UTC)

    @property
    def tags(self) -> list[str]:
        return [
            unquote(tag)
            for tag in self.kept.entry.tags
            if self.shows_owner or not tag.startswith("owner:")
        ]

    @property
    def of(self) -> str:
        """The offer or provider it came from, where a tag says so."""
        for what in ("offer:", "provider:"):
            for tag in self.tags:
                if tag.startswith(what):
                    return tag.removeprefix(what)
        return ""

    @property
    def short_name(self) -> str:
        return self.kept.name[:10]

    @property
    def text(self) -> str:
        """The value, indented where it is JSON; cut where it is long."""
        said = self.kept.entry.payload.decode(errors="replace")
        with suppress(ValueError):
            said = json.dumps(json.loads(said), indent=2, ensure_ascii=False)
        return said if len(said) <= SHOWN_CHARS else f"{said[:SHOWN_CHARS]}…"


def page_of(kind: str, cursor: str, text: str) -> Page:
    """Raises StoreAwayError."""

    async def read() -> Page:
        async with engine() as gateway:
            return await gateway.cache.shelf.page(kind, cursor, text=text)

    return async_to_sync(read)()


def entry_of(kind: str, name: str) -> Kept | None:
    """Raises StoreAwayError."""

    async def read() -> Kept | None:
        async with engine() as gateway:
            return await gateway.cache.shelf.one(kind, name)

    return async_to_sync(read)()


def cleared(wanted: dict[str, Any]) -> Gone:
    async def clear() -> Gone:
        async with engine() as gateway:
            return await gateway.cache.clear(**wanted)

    return async_to_sync(clear)()
