"""Which lists a refresh asks for, at which address and with which key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from catalog.keys import UsableKey, fill_address, usable_keys_of
from catalog.leases import is_due
from catalog.models import Origin, Provider, SiteChoice
from catalog.sources.registry import is_known
from gateway.dialects.base import auth_headers
from gateway.errors import NotConfigured
from gateway.types import Target, parse_limits

LIST = "list of models"
# Nobody publishes how often; even forty pages every few minutes are far below what is borne.
_LIST_LIMITS = parse_limits({"rph": 600})


@dataclass(frozen=True, slots=True)
class ListCall:
    provider: Provider
    url: str
    headers: Mapping[str, str] = field(repr=False)  # may carry a key
    target: Target  # whose breaker and quota it counts in
    allows_private_address: bool


def without_keys(text: str, headers: Mapping[str, str]) -> str:
    """What a host said to a call with these headers: many repeat the key they refuse."""
    for value in headers.values():
        text = text.replace(value.rpartition(" ")[2], "…")
    return text


def list_calls(providers: Sequence[Provider] | None = None) -> list[ListCall]:
    """The calls of a refresh of these providers or of all; who cannot be asked is left out."""
    providers = refreshable(providers)
    keys = usable_keys_of(providers)
    calls = (_list_call(one, keys.get(one.pk, ())) for one in providers)
    return [call for call in calls if call is not None]


def due_calls() -> list[ListCall]:
    """The calls to those whose time has come."""
    return list_calls([one for one in Provider.objects.callable_now() if is_due(one)])


def refreshable(providers: Sequence[Provider] | None = None) -> list[Provider]:
    """Those that are enabled, not retired, and list their models in a shape known here."""
    rows = Provider.objects.callable_now() if providers is None else providers
    is_simulating = SiteChoice.current().simulator != "off"
    return [
        one
        for one in rows
        if one.is_enabled
        and not one.is_retired
        and (is_simulating or one.origin != Origin.SIMULATOR)
        and list_url(one)
        and is_known(one.list_dialect)
    ]


def list_url(provider: Provider) -> str:
    """Own endpoints list their models where every OpenAI-compatible server does."""
    if provider.origin == Origin.OWN and not provider.list_url:
        return f"{provider.base_url.rstrip('/')}/models"
    return provider.list_url


def _list_call(provider: Provider, keys: Sequence[UsableKey]) -> ListCall | None:
    """With the first key that completes the address, and without any where the list is public."""
    for key in _candidates(provider, keys):
        try:
            url = fill_address(list_url(provider), key.extra if key else {})
            target = _target(provider, key)
            headers = auth_headers(target) if key else {}
        except (KeyError, NotConfigured):
            continue
        allows_private = provider.origin != Origin.OWN or provider.allows_private_address
        return ListCall(provider, url, headers, target, allows_private)
    return None


def _candidates(provider: Provider, keys: Sequence[UsableKey]) -> list[UsableKey | None]:
    """A public list is asked without a key first: a bad key must not spoil it."""
    is_own = provider.origin == Origin.OWN
    if provider.list_auth_required or (is_own and provider.needs_key):
        return [*keys]
    return [None, *keys]


def _target(provider: Provider, key: UsableKey | None) -> Target:
    """The list as an offer of its own, so that it never draws on a model's quota."""
    return Target(
        provider=provider.slug,
        model=LIST,
        base_url=provider.base_url,
        auth=provider.auth,
        key=key.secret if key else None,
        key_id=key.key_id if key else "none",
        pool=LIST,
        limits=_LIST_LIMITS,
        provider_name=provider.name,
    )
