"""What an operator should look at now: at most four lines, the gravest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from django.urls import reverse

from catalog.models import HeldList, HeldState, KeyVerdict, ProviderKey, Refresh, RefreshState
from freellm_site.lib import format as formats
from monitoring.health import ProviderHealth, State

AT_MOST = 4

_BAD_VERDICTS = (KeyVerdict.WRONG_KEY, KeyVerdict.NO_PERMISSION, KeyVerdict.QUOTA_USED_UP)


@dataclass(frozen=True, slots=True)
class Attention:
    title: str
    text: str
    url: str
    link: str
    glyph: str = ""  # a state's shape, or else
    icon: str = ""
    tone: str = ""


def attention(healths: Sequence[ProviderHealth], *, is_admin: bool = False) -> list[Attention]:
    return list(islice(_all(healths, is_admin=is_admin), AT_MOST))


def _all(healths: Sequence[ProviderHealth], *, is_admin: bool) -> Iterator[Attention]:
    """In order of gravity; lazy, so that the database is asked only for lines there is room for."""
    if any(one.state is State.UNKNOWN for one in healths):
        yield Attention(
            "Redis is away",
            "Limits and breakers are kept in each process. How providers stand is not known here.",
            reverse("monitoring:call-list"),
            "See the latest calls",
            icon="warn",
            tone="warn",
        )
    lines = (
        (State.REFUSING, _refusing),
        (State.KEY_REFUSED, _key_refused),
        (State.WAITING, _used_up),
    )
    for state, line in lines:
        yield from (line(one) for one in healths if one.state is state)
    yield from _bad_keys()
    yield from _held_lists()
    yield from _failed_refresh()
    yield from (_probing(one) for one in healths if one.state is State.PROBING)
    yield from _simulator(healths, is_admin=is_admin)


def _refusing(one: ProviderHealth) -> Attention:
    soon = f" It is tried again in {formats.seconds(one.wait_s)}." if one.wait_s else ""
    return Attention(
        f"{one.name} is not asked now",
        f"{one.reason or 'Its breaker is open.'}{soon}",
        _calls_of(one),
        "See its failed calls",
        glyph="hollow",
        tone="bad",
    )


def _key_refused(one: ProviderHealth) -> Attention:
    return Attention(
        f"The key of {one.name} is refused",
        one.reason,
        reverse("catalog:provider-detail", args=[one.slug]),
        "See the key",
        icon="key",
        tone="bad",
    )


def _used_up(one: ProviderHealth) -> Attention:
    when = f"The next call may go out in {formats.seconds(one.wait_s)}." if one.wait_s else ""
    return Attention(
        f"{one.name} is used up",
        f"Every quota it gives is spent for the moment. {when}".strip(),
        reverse("catalog:provider-detail", args=[one.slug]),
        "See its limits",
        icon="clock",
        tone="warn",
    )


def _probing(one: ProviderHealth) -> Attention:
    return Attention(
        f"{one.name} is being tried again",
        "A few calls are let through; when they succeed, all are.",
        _calls_of(one),
        "Watch its calls",
        glyph="half",
        tone="warn",
    )


def _bad_keys() -> Iterator[Attention]:
    keys = ProviderKey.objects.filter(is_enabled=True, verdict__in=_BAD_VERDICTS)
    for key in keys.select_related("provider")[:AT_MOST]:
        verdict = KeyVerdict(key.verdict).label.lower()
        yield Attention(
            f"A key of {key.provider.name}: {verdict}",
            key.verdict_detail or f"The last check of “{key.label}” ended so.",
            key.provider.get_absolute_url(),
            "See the key",
            icon="key",
            tone="bad",
        )


def _held_lists() -> Iterator[Attention]:
    waiting = HeldList.objects.filter(state=HeldState.WAITING).select_related("provider")
    for held in waiting.defer("entries")[:AT_MOST]:
        lost = f"{held.lost} of {formats.counted(held.before, 'model')}"
        yield Attention(
            f"The list of {held.provider.name} waits for a decision",
            f"It lacks {lost}, so it was not applied.",
            held.provider.get_absolute_url(),
            "Apply or dismiss it",
            icon="refresh",
            tone="warn",
        )


def _failed_refresh() -> Iterator[Attention]:
    over = Refresh.objects.filter(state__in=(RefreshState.DONE, RefreshState.FAILED))
    last = over.order_by("-created_at").first()
    if last is None or last.state != RefreshState.FAILED:
        return
    yield Attention(
        "The last refresh failed",
        last.detail or "The catalog shows what was known before.",
        reverse("catalog:refresh-detail", args=[last.pk]),
        "See what went wrong",
        icon="refresh",
        tone="warn",
    )


def _simulator(healths: Sequence[ProviderHealth], *, is_admin: bool) -> Iterator[Attention]:
    if healths and all(one.is_simulated for one in healths):
        one_key = "One key is enough" if is_admin else "One key, added by an admin, is enough"
        yield Attention(
            "Answers come from the simulator",
            f"No real provider can be called yet. {one_key} to change that.",
            reverse("catalog:provider-list"),
            "Add a key" if is_admin else "See the providers",
            icon="flask",
        )


def _calls_of(one: ProviderHealth) -> str:
    return f"{reverse('monitoring:call-list')}?provider={one.slug}&outcome=failed"
