"""What every page's frame shows: navigation, counts, whether Redis answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.core.cache import cache
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject

from catalog import generation
from catalog.models import Offer, Provider
from freellm_site.health import redis_answers
from freellm_site.lib.redis_watch import redis_watch
from freellm_site.lib.roles import Role, has_role

COUNTS_KEY = "shell:counts"
COUNTS_TTL_S = 30


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the navigation, before it is known who looks."""

    label: str
    url_name: str
    icon: str
    key: str = ""  # after "g"
    count: str = ""  # which of the counts stands beside it
    primary: bool = False  # one of the four in a phone's bottom bar
    role: Role = Role.VIEWER


@dataclass(frozen=True, slots=True)
class Item:
    label: str
    url: str
    icon: str
    key: str
    count: int | None
    primary: bool
    is_current: bool


@dataclass(frozen=True, slots=True)
class Group:
    label: str
    entries: list[Item]


@dataclass(frozen=True, slots=True)
class Navigation:
    groups: list[Group] = field(default_factory=list)

    @property
    def items(self) -> list[Item]:
        return [item for group in self.groups for item in group.entries]

    @property
    def more(self) -> list[Item]:
        """What a phone's bottom bar has no room for."""
        return [item for item in self.items if not item.primary]

    @property
    def by_key(self) -> list[Item]:
        return [item for item in self.items if item.key]


ENTRIES: dict[str, list[Entry]] = {
    "": [
        Entry("Overview", "monitoring:overview", "overview", key="o", primary=True),
        Entry("Playground", "playground:home", "playground", key="p", primary=True),
        Entry("Catalog", "catalog:list", "catalog", key="c", count="models", primary=True),
    ],
    "Monitoring": [
        Entry("Traffic", "monitoring:traffic", "learned", key="t"),
        Entry("Live limits", "monitoring:limits", "limits", key="m", primary=True),
        Entry("Breakers", "monitoring:breakers", "breakers", key="b"),
        Entry("Cache", "monitoring:cache", "cache", key="h"),
        Entry("Queue", "monitoring:queue", "long", key="q"),
        Entry("Calls", "monitoring:call-list", "calls", key="l"),
        Entry("Tasks", "monitoring:tasks", "clock", key="k"),
        Entry("Alerts", "monitoring:alerts", "bell", key="a"),
    ],
    "Set-up": [
        Entry("Tuning", "monitoring:tuning", "tuning", key="n"),
        Entry("Providers", "catalog:provider-list", "provider", key="v", count="providers"),
        Entry("Users", "accounts:user-list", "user", key="u", role=Role.ADMIN),
        Entry("Style guide", "styleguide", "style"),
    ],
}


def shell(request: HttpRequest) -> dict[str, Any]:
    """Lazy, because fragments are rendered with the same context and need none of it."""
    return {
        "nav": SimpleLazyObject(lambda: navigation(request)),
        "degraded": SimpleLazyObject(lambda: not redis_answers()),
        "degraded_since": SimpleLazyObject(_away_since),
    }


def _away_since() -> datetime | None:
    since_s = redis_watch.away_since_s
    return datetime.fromtimestamp(since_s, UTC) if since_s else None


def navigation(request: HttpRequest) -> Navigation:
    """The pages this person may open, with the one they are on marked."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return Navigation()
    known = {label: _open_to(user, entries) for label, entries in ENTRIES.items()}
    current = _current(request.path, [url for pairs in known.values() for _, url in pairs])
    counts = _counts()
    return Navigation(
        [
            Group(label, [_item(entry, url, current, counts) for entry, url in pairs])
            for label, pairs in known.items()
            if pairs
        ]
    )


def _open_to(user: Any, entries: list[Entry]) -> list[tuple[Entry, str]]:
    pairs = [(entry, _url(entry)) for entry in entries if has_role(user, entry.role)]
    return [(entry, url) for entry, url in pairs if url]


def _url(entry: Entry) -> str:
    """The page's address; empty while no feature fills it."""
    try:
        return reverse(entry.url_name)
    except NoReverseMatch:
        return ""


def _current(path: str, urls: list[str]) -> str:
    """The deepest page the path lies under; the front page only by itself."""
    above = [url for url in urls if path == url or (url != "/" and path.startswith(url))]
    return max(above, key=len, default="")


def _item(entry: Entry, url: str, current: str, counts: dict[str, int]) -> Item:
    return Item(
        label=entry.label,
        url=url,
        icon=entry.icon,
        key=entry.key,
        count=counts.get(entry.count),
        primary=entry.primary,
        is_current=url == current,
    )


def _counts() -> dict[str, int]:
    """What the pages behind the links list; counted anew when the catalog changed, or by age."""
    number = generation.current()
    counts: dict[str, int] | None = cache.get(COUNTS_KEY)
    if counts is None or counts["generation"] != (number or 0):
        counts = {
            "generation": number or 0,
            "models": Offer.objects.listed_size().models,
            "providers": Provider.objects.filter(is_retired=False).count(),
        }
        cache.set(COUNTS_KEY, counts, COUNTS_TTL_S)
    return counts
