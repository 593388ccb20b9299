"""The changes as an Atom feed: each set of filters is a feed of its own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.contrib.syndication.views import Feed
from django.http import HttpRequest
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed

from catalog.changes import KINDS, ChangeFilters
from catalog.models import Change, Provider

LATEST = 100

if TYPE_CHECKING:
    _Feed = Feed[Change, ChangeFilters]
else:  # Django's own class takes no parameters
    _Feed = Feed


class ChangeFeed(_Feed):
    feed_type = Atom1Feed
    author_name = "FreeLLM"

    def get_object(self, request: HttpRequest, *args: Any, **kwargs: Any) -> ChangeFilters:
        filters: ChangeFilters = kwargs["filters"]
        return filters

    def title(self, filters: ChangeFilters) -> str:
        provider = Provider.objects.filter(slug=filters.provider).first()
        parts = (
            provider.name if provider else filters.provider,
            KINDS.get(filters.kind, filters.kind),
            filters.family,
            f"“{filters.q}”" if filters.q else "",
        )
        only = ", ".join(part for part in parts if part)
        return f"Free models: changes{f', {only}' if only else ''}"

    def link(self, filters: ChangeFilters) -> str:
        return f"{reverse('catalog:change-list')}{filters.query()}"

    def items(self, filters: ChangeFilters) -> Sequence[Change]:
        return list(filters.changes()[:LATEST])

    def item_title(self, item: Change) -> str:
        return str(item)

    def item_description(self, item: Change) -> str:
        return " · ".join(part for part in (item.detail, item.external_id) if part)

    def item_link(self, item: Change) -> str:
        return (item.offer.model if item.offer else item.provider).get_absolute_url()

    def item_guid(self, item: Change) -> str:
        return f"urn:freellm:change:{item.pk}"

    def item_pubdate(self, item: Change) -> dt.datetime:
        return item.at

    def item_updateddate(self, item: Change) -> dt.datetime:
        return item.at

    def item_categories(self, item: Change) -> tuple[str, str]:
        return item.kind, item.provider.slug
