"""From offers to targets: which of them can be called, with which key, at which address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from asgiref.sync import sync_to_async

from catalog.choices import attach
from catalog.chosen import Pinned
from catalog.keys import (
    UsableKey,
    enabled_keys_of,
    extra_fields,
    extra_label,
    fill_address,
    usable_keys_of,
)
from catalog.models import KeyVerdict, Offer, Origin, Provider, SiteChoice, Tier
from gateway.quirks import read_quirks
from gateway.types import LIMIT_NAMES, Limit, LimitHeader, Target, parse_limits


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps calls from a provider: a word for a row, a sentence with the remedy.

    With a doubt it is called all the same, after everybody else.
    """

    word: str
    sentence: str
    is_doubt: bool = False


RETIRED = Obstacle("Retired", "It no longer answers, so it is never called.")
SWITCHED_OFF = Obstacle("Switched off", "An admin can switch it on.")
NO_ADDRESS = Obstacle(
    "No address", "It has no common address; add your own deployment as an endpoint."
)
NO_KEY = Obstacle("No key", "Add a key to call it.")
KEY_REFUSED = Obstacle(
    "Key refused", "Its key was refused when it was checked. Check it again, or add another."
)
NOT_ANSWERING = Obstacle(
    "Provider down",
    "It did not answer when its key was checked. It is checked again every ten minutes; until it "
    "answers it is called only where nobody else can be.",
    is_doubt=True,
)
NO_PERMISSION = Obstacle(
    "No permission",
    "Its key may not call the models it was checked with. Give it the right, or add another; "
    "until a check succeeds it is called only where nobody else can be.",
    is_doubt=True,
)


async def targets_for(offer_ids: Sequence[int]) -> list[Target]:
    """One target for each offer and usable key, in the order of `offer_ids`.

    An offer that cannot be called now (no key, disabled, retired) gives none.
    """
    return await sync_to_async(_targets_for)(offer_ids)


def doubts() -> dict[int, str]:
    """The providers a call may be sent to, with what makes it doubtful; "" mostly."""
    return {
        pk: obstacle.word if obstacle else ""
        for pk, obstacle in obstacles().items()
        if _is_callable(obstacle)
    }


def provider_usable(provider: Provider) -> bool:
    return obstacles()[provider.pk] is None


def unusable_reason(provider: Provider) -> str:
    """Why no call is sent to this provider, with the remedy; "" where calls are sent."""
    obstacle = obstacles()[provider.pk]
    return obstacle.sentence if obstacle else ""


@dataclass(frozen=True, slots=True)
class Usability:
    """Of every provider, by its id: what keeps calls from it, or None, and its keys."""

    providers: Sequence[Provider]
    obstacles: Mapping[int, Obstacle | None]
    keys: Mapping[int, Sequence[UsableKey]]


def obstacles() -> Mapping[int, Obstacle | None]:
    """For every provider what keeps calls from it, or None."""
    return usability().obstacles


def usability() -> Usability:
    providers = list(Provider.objects.for_usability())
    keys = enabled_keys_of(providers)
    found = {one.pk: _obstacle(one, keys[one.pk]) for one in providers}
    is_real_usable = any(
        _is_callable(found[one.pk]) for one in providers if one.origin != Origin.SIMULATOR
    )
    for provider in providers:
        if provider.origin == Origin.SIMULATOR:
            found[provider.pk] = found[provider.pk] or _simulator_obstacle(is_real_usable)
    accepted = {pk: [one for one in rows if not one.is_refused] for pk, rows in keys.items()}
    return Usability(providers, found, accepted)


def build_targets(offer: Offer, keys: Sequence[UsableKey]) -> list[Target]:
    """One target for each key whose extra values complete the provider's address."""
    if not offer.provider.needs_key:
        return [build_target(offer, None)] if can_fill(offer.provider, {}) else []
    return [build_target(offer, key) for key in keys if can_fill(offer.provider, key.extra)]


def build_target(offer: Offer, key: UsableKey | None) -> Target:
    """Raises KeyError with the name of an extra value that is missing."""
    provider = offer.provider
    return Target(
        provider=provider.slug,
        model=offer.external_id,
        base_url=fill_address(provider.base_url, key.extra if key else {}),
        dialect=provider.chat_dialect,
        auth=provider.auth,
        key=key.secret if key else None,
        key_id=key.key_id if key else "none",
        pool=provider.pool_for(offer.external_id),
        limits=engine_limits(offer),
        hides_limits=hides_limits(provider),
        provider_name=provider.name,
        model_name=offer.model.shown_name,
        context_tokens=offer.context_tokens,
        max_output_tokens=offer.max_output_tokens,
        limit_headers=_limit_headers(provider),
        allows_private_address=may_be_private(provider),
        quirks=read_quirks(provider.quirks, offer.external_id),
    )


def looking_targets(
    provider: Provider, external_id: str, limits: tuple[Limit, ...], keys: Sequence[UsableKey]
) -> list[Target]:
    """For asking how an offer stands: who it is and what its quota is, without an address."""
    bare = keyless_target(provider, external_id, limits)
    if not provider.needs_key:
        return [bare]
    return [replace(bare, key=key.secret, key_id=key.key_id) for key in keys]


def keyless_target(provider: Provider, external_id: str, limits: tuple[Limit, ...]) -> Target:
    """Who it is and what its quota is; no call can be sent with it."""
    return Target(
        provider=provider.slug,
        model=external_id,
        base_url="",
        pool=provider.pool_for(external_id),
        limits=limits,
        hides_limits=hides_limits(provider),
        limit_headers=_limit_headers(provider),
    )


def hides_limits(provider: Provider) -> bool:
    """Whether it may keep to more limits than it publishes; a server of our own does not."""
    return provider.origin == Origin.MAPPING and provider.tier != Tier.LOCAL


def may_be_private(provider: Provider) -> bool:
    """Whether this provider's host may have a private address: only a server of our own."""
    return (
        provider.allows_private_address
        or provider.origin == Origin.SIMULATOR
        or provider.tier == Tier.LOCAL
    )


def engine_limits(offer: Offer) -> tuple[Limit, ...]:
    return counted_limits(offer.effective_limits, offer.provider, offer.pinned_limits)


def counted_limits(
    named: Mapping[str, int], provider: Provider, pinned: Pinned
) -> tuple[Limit, ...]:
    """The limits whose names the engine counts; a row may hold others from a newer mapping."""
    counted = {name: amount for name, amount in named.items() if name in LIMIT_NAMES}
    return parse_limits(counted, provider.resets, pinned)


def can_fill(provider: Provider, extra: Mapping[str, str]) -> bool:
    try:
        return bool(fill_address(provider.base_url, extra))
    except KeyError:
        return False


def _limit_headers(provider: Provider) -> tuple[LimitHeader, ...]:
    return tuple(LimitHeader(**header) for header in provider.ratelimit_headers)


def _targets_for(offer_ids: Sequence[int]) -> list[Target]:
    rows = Offer.objects.active().filter(pk__in=offer_ids).select_related("provider", "model")
    offers = {offer.pk: offer for offer in rows}
    attach(list(offers.values()))
    usable = doubts()
    keys = usable_keys_of({one.provider_id: one.provider for one in offers.values()}.values())
    return [
        target
        for pk in offer_ids
        if pk in offers and offers[pk].provider_id in usable
        for target in build_targets(offers[pk], keys[offers[pk].provider_id])
    ]


def _obstacle(provider: Provider, keys: Sequence[UsableKey]) -> Obstacle | None:
    if provider.is_retired:
        return RETIRED
    if not provider.is_enabled:
        return SWITCHED_OFF
    if not provider.base_url:
        return NO_ADDRESS
    if not provider.needs_key:
        return None if can_fill(provider, {}) else _incomplete(provider)
    return _key_obstacle(provider, keys)


def _key_obstacle(provider: Provider, keys: Sequence[UsableKey]) -> Obstacle | None:
    if not keys:
        return NO_KEY
    accepted = [key for key in keys if not key.is_refused]
    if not accepted:
        return KEY_REFUSED
    complete = [key for key in accepted if can_fill(provider, key.extra)]
    if not complete:
        return _incomplete(provider)
    return _doubt(complete)


def _incomplete(provider: Provider) -> Obstacle:
    missing = " and ".join(
        f"the {extra_label(provider, name).lower()} ({name})" for name in extra_fields(provider)
    )
    return Obstacle("Key incomplete", f"No key comes with {missing}; add one that does.")


def _doubt(keys: Sequence[UsableKey]) -> Obstacle | None:
    if not all(key.is_doubtful for key in keys):
        return None
    is_down = any(key.verdict == KeyVerdict.PROVIDER_DOWN for key in keys)
    return NOT_ANSWERING if is_down else NO_PERMISSION


def _is_callable(obstacle: Obstacle | None) -> bool:
    return obstacle is None or obstacle.is_doubt


def _simulator_obstacle(is_real_usable: bool) -> Obstacle | None:
    choice = SiteChoice.current().simulator
    if choice == "off":
        return Obstacle("Switched off", "The simulator is switched off; see Providers.")
    if choice == "auto" and is_real_usable:
        return Obstacle("Stands by", "The simulator steps aside while a real provider is usable.")
    return None
