"""Rows for tests: the defaults are valid, a test states only what matters to it."""

from __future__ import annotations

import itertools
import time
from typing import Any

from asgiref.sync import sync_to_async

from catalog.choices import Subject, choose
from catalog.key_store import NewKey, store_key
from catalog.models import Aspect, Model, Offer, Provider, ProviderKey
from catalog.naming import model_slug
from freellm_site.accounts.models import User
from gateway.events import CallEvent
from gateway.simulator import Scenario, SimModel, SimProvider
from gateway.types import Attempt, Outcome, Secret, new_call_id
from monitoring.keeping import keep
from monitoring.models import CallRecord
from monitoring.records import record_of

_number = itertools.count(1)


def make_user(*, role: str = "viewer", username: str = "", password: str | None = None) -> User:
    name = username or f"user{next(_number)}"
    user: User = User.objects.create_user(username=name, password=password, role=role)
    return user


amake_user = sync_to_async(make_user)


# --- catalog -----------------------------------------------------------------------------------


def make_provider(**fields: Any) -> Provider:
    """A keyless provider with an address and a list that nobody serves."""
    number = next(_number)
    defaults: dict[str, Any] = {
        "slug": f"provider-{number}",
        "name": f"Provider {number}",
        "base_url": "http://127.0.0.1:9/v1",
        "auth": "none",
        "list_url": "http://127.0.0.1:9/v1/models",
        "list_dialect": "openai",
        "list_items_path": "data",
    }
    provider: Provider = Provider.objects.create(**{**defaults, **fields})
    return provider


def make_model(name: str = "Wren 8B Instruct", **fields: Any) -> Model:
    """The model of this name; the same one when asked again."""
    defaults = {"name": name, "family": "wren", "params_b": 8.0, **fields}
    model, _ = Model.objects.get_or_create(slug=model_slug(name), defaults=defaults)
    return model


def make_offer(
    provider: Provider | None = None, model: Model | None = None, **fields: Any
) -> Offer:
    defaults: dict[str, Any] = {"external_id": f"wren-8b-{next(_number)}"}
    offer: Offer = Offer.objects.create(
        provider=provider or make_provider(), model=model or make_model(), **{**defaults, **fields}
    )
    return offer


def make_choice(subject: Subject, aspect: str, value: Any = True, user: User | None = None) -> None:
    """As an admin's page makes it."""
    choose([subject], Aspect(aspect), value, user)


def make_key(
    provider: Provider,
    secret: str = "sk_made_up_for_tests_9zQx",  # noqa: S107 - made up
    **fields: Any,
) -> ProviderKey:
    """A stored key; `secret` is made up."""
    row = store_key(NewKey(provider, Secret(secret), fields.pop("label", "team key")))
    for name, value in fields.items():
        setattr(row, name, value)
    row.save()
    return row


# --- monitoring --------------------------------------------------------------------------------


def make_attempt(**fields: Any) -> Attempt:
    """An attempt that answered at the provider "sparrow", unless told otherwise."""
    provider, model = fields.pop("provider", "sparrow"), fields.pop("model", "wren-8b")
    defaults: dict[str, Any] = {
        "label": f"{model} on {provider}",
        "outcome": Outcome.ANSWERED,
        "key_id": "k1",
        "status": 200,
        "first_token_s": 0.2,
        "duration_s": 1.0,
    }
    return Attempt(provider=provider, model=model, **{**defaults, **fields})


def make_event(**fields: Any) -> CallEvent:
    """A call that its first target answered just now; one attempt, by the call's own outcome."""
    defaults: dict[str, Any] = {
        "call_id": new_call_id(),
        "at": time.time(),
        "source": "playground",
        "owner": "mara",
        "outcome": Outcome.ANSWERED,
        "provider": "sparrow",
        "model": "wren-8b",
        "key_id": "k1",
        "cached": "",
        "is_streamed": True,
        "duration_s": 1.0,
        "first_token_s": 0.2,
        "prompt_tokens": 100,
        "completion_tokens": 80,
        "is_usage_estimated": False,
    }
    values = {**defaults, **fields}
    if "attempts" not in values:
        attempt = make_attempt(
            provider=values["provider"], model=values["model"], outcome=values["outcome"]
        )
        values["attempts"] = () if values["cached"] else (attempt,)
    return CallEvent(**values)


def make_call(**fields: Any) -> CallRecord:
    """A kept call, made the way the recorder makes it."""
    record = record_of(make_event(**fields))
    keep([record])
    kept: CallRecord = CallRecord.objects.get(call_id=record.call_id)
    return kept


# --- simulator ---------------------------------------------------------------------------------


def make_sim_model(**fields: Any) -> SimModel:
    return SimModel(**{"id": "wren-8b", "name": "Wren 8B Instruct", "params_b": 8.0, **fields})


def make_sim_provider(**fields: Any) -> SimProvider:
    """A keyless provider without limits that answers at once."""
    defaults: dict[str, Any] = {
        "slug": "sim-wren",
        "name": "Simulator Wren",
        "models": (make_sim_model(),),
        "first_token_s": 0.0,
        "tokens_per_s": 1e6,
        "jitter": 0.0,
    }
    return SimProvider(**{**defaults, **fields})


def make_scenario(*providers: SimProvider, seed: int = 1) -> Scenario:
    return Scenario(providers=providers or (make_sim_provider(),), seed=seed, name="test")
