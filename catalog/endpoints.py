"""Own endpoints: OpenAI-compatible servers (Ollama, vLLM, LM Studio) as providers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from asgiref.sync import sync_to_async
from django.db import transaction
from django.utils.text import slugify

from catalog import generation
from catalog.addresses import AddressRefused, check_address
from catalog.engine import engine
from catalog.grouping import models_for
from catalog.key_check import Evidence
from catalog.key_store import NewKey, name_of_same_key, store_key
from catalog.keys import enabled_keys_of
from catalog.lists import without_keys
from catalog.models import Offer, OfferStatus, Origin, Provider, QuotaScope, Tier
from catalog.sources.listed import BadList, ListedModel
from catalog.sources.registry import read_list
from gateway.dialects.base import auth_headers
from gateway.errors import GatewayError
from gateway.types import Secret, Target

# More than anybody serves; a list of thousands is a gateway's, and is better chosen from.
MOST_MODELS = 500
LIST_WITHIN_S = 8.0
LONGEST_SLUG = 45
RESERVED_SLUGS = ("own", "keys", "simulator")  # words of our own addresses


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a person typed, valid in itself; whether it answers is another question."""

    name: str
    base_url: str
    secret: Secret | None = None
    forgets_key: bool = False
    allows_private_address: bool = False
    model_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """What a server said when it was asked for its models.

    `field` names the form's field that is at fault where something is.
    """

    listed: tuple[ListedModel, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    problem: str = ""
    field: str = field(default="base_url")


async def ask_endpoint(endpoint: Endpoint, stored: Provider | None = None) -> Answered:
    """Judge the address and ask for the list, without keeping anything."""
    try:
        await check_address(endpoint.base_url, allow_private=endpoint.allows_private_address)
    except AddressRefused as refused:
        return Answered(problem=refused.message)
    secret = endpoint.secret or await sync_to_async(_stored_secret)(endpoint, stored)
    url, headers = f"{endpoint.base_url}/models", _headers(endpoint, secret)
    try:
        async with engine() as gateway:
            body = await gateway.get(
                url,
                headers=headers,
                within_s=LIST_WITHIN_S,
                allows_private_address=endpoint.allows_private_address,
            )
        listed = _translated(body)
    except (GatewayError, BadList) as error:
        return _no_list(endpoint, url, without_keys(str(error), headers))
    names = ", ".join(one.external_id for one in listed[:3])
    line = Evidence("ok", f"{len(listed)} models are listed", f"{url}: {names}")
    if not listed and not endpoint.model_ids:
        return Answered(
            evidence=(line,),
            problem="The server lists no model yet. Load one there, or type its id.",
            field="model_ids",
        )
    if len(listed) > MOST_MODELS and not endpoint.model_ids:
        return Answered(
            evidence=(line,),
            problem=f"The server lists {len(listed)} models; at most {MOST_MODELS} fit. "
            "Type the ids of those you want.",
            field="model_ids",
        )
    return Answered(tuple(listed), (line,))


class EndpointGone(Exception):
    """Another admin removed it while this one changed it."""


def save_endpoint(
    endpoint: Endpoint,
    listed: Sequence[ListedModel],
    provider: Provider | None = None,
    user_id: int | None = None,
) -> Provider:
    """Create or change the provider with its key and offers, in one transaction.

    Raises EndpointGone.
    """
    with transaction.atomic():
        provider = _as_it_is(provider) if provider else _new(endpoint)
        is_forgotten = endpoint.forgets_key or _has_moved(provider, endpoint)
        _assign(provider, endpoint)
        provider.save()
        if is_forgotten:
            provider.keys.all().delete()
        _keep_key(provider, endpoint, user_id)
        _keep_offers(provider, _wanted(endpoint, listed))
        transaction.on_commit(generation.bump)
    return provider


def _new(endpoint: Endpoint) -> Provider:
    return Provider(slug=_free_slug(endpoint.name), origin=Origin.OWN)


def _as_it_is(provider: Provider) -> Provider:
    """Read anew: while its server was asked, another admin may have switched or removed it."""
    found = Provider.objects.select_for_update().filter(pk=provider.pk).first()
    if found is None:
        raise EndpointGone
    return found


def remove_endpoint(provider: Provider) -> None:
    """The provider with its offers and keys; models that others serve stay."""
    provider.delete()
    generation.bump()


def _wanted(endpoint: Endpoint, listed: Sequence[ListedModel]) -> list[ListedModel]:
    """Typed ids hold; of what the server lists only those, with all it says of them."""
    if not endpoint.model_ids:
        return list(listed)
    known = {one.external_id: one for one in listed}
    return [known.get(one) or ListedModel(external_id=one) for one in endpoint.model_ids]


def _assign(provider: Provider, endpoint: Endpoint) -> None:
    provider.name = endpoint.name
    provider.base_url = endpoint.base_url
    provider.allows_private_address = endpoint.allows_private_address
    provider.tier = Tier.LOCAL
    provider.quota_scope = QuotaScope.PER_MODEL
    # Typed ids are the admin's word; a refresh would add what was left out on purpose.
    provider.list_dialect = "none" if endpoint.model_ids else "openai"
    provider.list_url = "" if endpoint.model_ids else f"{endpoint.base_url}/models"
    provider.list_items_path, provider.id_field = "data", "id"


def _keep_key(provider: Provider, endpoint: Endpoint, user_id: int | None) -> None:
    """A typed key takes the place of the former one; without any, none is sent."""
    if endpoint.secret and not name_of_same_key(provider, endpoint.secret.reveal()):
        provider.keys.all().delete()
        store_key(NewKey(provider, endpoint.secret), user_id)
    provider.auth = "bearer" if provider.keys.exists() else "none"
    provider.list_auth_required = False
    provider.save(update_fields=["auth", "list_auth_required"])


def _keep_offers(provider: Provider, wanted: Sequence[ListedModel]) -> None:
    """Offer what is wanted, retire the rest; an offer keeps its row and so its history."""
    known = {offer.external_id: offer for offer in provider.offers.all()}
    for entry, model in zip(wanted, models_for(wanted), strict=True):
        offer = known.pop(entry.external_id, None) or Offer(
            provider=provider, external_id=entry.external_id
        )
        offer.model, offer.status = model, OfferStatus.ACTIVE
        offer.missing_since = None
        offer.context_tokens = entry.context_tokens or offer.context_tokens
        offer.max_output_tokens = entry.max_output_tokens or offer.max_output_tokens
        offer.save()
    provider.offers.filter(pk__in=[one.pk for one in known.values()]).update(
        status=OfferStatus.RETIRED
    )


def _free_slug(name: str) -> str:
    """An address of its own: "my-vllm", else "my-vllm-2"."""
    base = slugify(name)[:LONGEST_SLUG] or "endpoint"
    taken = {*RESERVED_SLUGS, *Provider.objects.values_list("slug", flat=True)}
    if base not in taken:
        return base
    return next(slug for n in range(2, len(taken) + 3) if (slug := f"{base}-{n}") not in taken)


def _stored_secret(endpoint: Endpoint, stored: Provider | None) -> Secret | None:
    """An edited endpoint is asked with the key it has; it goes nowhere but to the old host."""
    if stored is None or endpoint.forgets_key or _has_moved(stored, endpoint):
        return None
    keys = enabled_keys_of([stored])[stored.pk]
    return keys[0].secret if keys else None


def _has_moved(stored: Provider, endpoint: Endpoint) -> bool:
    """Whether the address leads to another server, which is not to see the former one's key."""
    return urlsplit(stored.base_url)[:2] != urlsplit(endpoint.base_url)[:2]


def _headers(endpoint: Endpoint, secret: Secret | None) -> dict[str, str]:
    if secret is None:
        return {}
    return auth_headers(Target(provider=endpoint.name, model="", base_url="", key=secret))


def _no_list(endpoint: Endpoint, url: str, why: str) -> Answered:
    """No list is no obstacle to who typed the ids: some servers have none."""
    line = Evidence("warn", "No model list", f"{url}: {why}")
    if endpoint.model_ids:
        return Answered(evidence=(line,))
    remedy = "Check the address and that the server runs, or type the model ids yourself."
    return Answered(evidence=(line,), problem=f"{url}: {why} {remedy}")


def _translated(body: bytes) -> list[ListedModel]:
    try:
        return read_list("openai", json.loads(body)).listed
    except (ValueError, RecursionError) as error:
        raise BadList("The answer is not JSON.") from error
