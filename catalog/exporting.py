"""The catalog as a file, in pieces: JSON, CSV, or a list in Markdown as public READMEs have it."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator

from django.utils import timezone

from catalog.facets import LABELS
from catalog.filters import chips
from catalog.models import Provider
from catalog.offers import limit_words
from catalog.records import FIELDS, Record, records
from catalog.selection import Selection
from freellm_site.lib.csv_lines import csv_line
from freellm_site.lib.format import counted, quantity

_MARKS = re.compile(r"([\\|\[\]*_`<>])")


def json_lines(selection: Selection) -> Iterator[str]:
    """One array, an object on each line."""
    yield "[\n"
    for number, record in enumerate(records(selection)):
        yield f"{',' if number else ' '} {json.dumps(record, ensure_ascii=False)}\n"
    yield "]\n"


def csv_lines(selection: Selection) -> Iterator[str]:
    yield csv_line(FIELDS)
    for record in records(selection):
        yield csv_line(_cell(record[name]) for name in FIELDS)


def md_lines(selection: Selection) -> Iterator[str]:
    """By provider: terms, where the key is from, and each model with its limits."""
    by_provider: dict[str, list[Record]] = defaultdict(list)
    for record in records(selection):
        by_provider[record["provider"]].append(record)
    models = len({row.slug for row in selection.found.models})
    offers = selection.found.offer_count
    yield "# Free LLM APIs\n\n"
    yield f"{counted(models, 'model')}, {counted(offers, 'offer')}, "
    yield f"as FreeLLM knew them on {timezone.localtime():%-d %B %Y}."
    filters = [chip.label for chip in chips(selection.asked, selection.labels)]
    yield f" Only: {_plain(', '.join(filters))}.\n" if filters else "\n"
    for slug, provider in selection.shelf.providers.items():
        if slug in by_provider:
            yield from _section(provider, by_provider[slug])


def _section(provider: Provider, offers: list[Record]) -> Iterator[str]:
    yield f"\n## {_plain(provider.name)}\n\n{_plain(provider.get_tier_display())}"
    if provider.limits:
        yield f". In general {_plain(limit_words(provider.limits))}"
    yield f". {_plain(provider.requirements)}\n" if provider.requirements else ".\n"
    address = provider.key_url or provider.website
    if address:
        yield f"\nKey: <{address}>\n"
    yield "\n| Model | Id | Context | Limits | Good for |\n| --- | --- | ---: | --- | --- |\n"
    for one in offers:
        yield _row(one)


def _row(one: Record) -> str:
    state = "" if one["status"] == "listed" else f" ({one['status']})"
    context = quantity(one["context_tokens"], short=True) if one["context_tokens"] else "–"
    good = ", ".join(LABELS["good"].get(name, name) for name in one["specialties"])
    cells = (
        f"{_plain(one['model_name'])}{state}",
        f"`{one['external_id'].replace('`', '').replace('|', chr(92) + '|')}`",
        context,
        _plain(limit_words(one["limits"])) or "–",
        _plain(good) or "–",
    )
    return f"| {' | '.join(cells)} |\n"


def _plain(text: str) -> str:
    """A text of others as itself: on one line, nothing in it a mark of Markdown."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def _cell(value: object) -> object:
    if isinstance(value, dict):
        return " ".join(f"{name}={amount}" for name, amount in value.items())
    return " ".join(value) if isinstance(value, list) else value


FORMS: dict[str, tuple[Callable[[Selection], Iterator[str]], str]] = {
    "json": (json_lines, "application/json"),
    "csv": (csv_lines, "text/csv; charset=utf-8"),
    "md": (md_lines, "text/markdown; charset=utf-8"),
}
