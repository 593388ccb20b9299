"""Whether a key works, by calls that need it: a list everyone may read proves nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from asgiref.sync import sync_to_async

from catalog.choices import attach
from catalog.engine import engine
from catalog.keys import UsableKey, fill_address
from catalog.lists import list_url
from catalog.models import CHAT_MODALITIES, KeyVerdict, Offer, OfferStatus, Provider
from catalog.targets import build_target, may_be_private
from freellm_site.lib.format import file_size
from gateway.client import Gateway
from gateway.dialects.base import auth_headers
from gateway.errors import AllTargetsFailed, GatewayError, ProviderError
from gateway.types import (
    Attempt,
    CacheMode,
    ChatRequest,
    Completion,
    Message,
    Outcome,
    Priority,
    Target,
)

DEADLINE_S = 15.0
_LIST_WITHIN_S = 6.0
_MOST_MODELS = 3
_ANSWER_TOKENS = 64  # room for a model that thinks before it says "ok"

_VERDICTS = {
    Outcome.ANSWERED: KeyVerdict.WORKS,
    Outcome.AUTH_REJECTED: KeyVerdict.WRONG_KEY,
    Outcome.FORBIDDEN: KeyVerdict.NO_PERMISSION,
    Outcome.QUOTA_EXHAUSTED: KeyVerdict.QUOTA_USED_UP,
    Outcome.THROTTLED: KeyVerdict.QUOTA_USED_UP,
    Outcome.TIMEOUT: KeyVerdict.PROVIDER_DOWN,
    Outcome.UNAVAILABLE: KeyVerdict.PROVIDER_DOWN,
    Outcome.CUT: KeyVerdict.PROVIDER_DOWN,
}
_TITLES = {
    KeyVerdict.WORKS: "A model answers",
    KeyVerdict.WRONG_KEY: "The key is refused",
    KeyVerdict.NO_PERMISSION: "The key may not do this",
    KeyVerdict.QUOTA_USED_UP: "The quota is used up",
    KeyVerdict.PROVIDER_DOWN: "The provider does not answer",
    KeyVerdict.UNCLEAR: "The answer is unclear",
}
_TONES = {
    KeyVerdict.WORKS: "ok",
    KeyVerdict.WRONG_KEY: "bad",
    KeyVerdict.NO_PERMISSION: "bad",
}
# After these another model of the provider may tell more.
_ASK_ANOTHER = {Outcome.MODEL_GONE, Outcome.FORBIDDEN, Outcome.INVALID_REQUEST}


@dataclass(frozen=True, slots=True)
class Evidence:
    """One real request and what it showed; `tone` is ok, warn, bad or idle."""

    tone: str
    title: str
    detail: str
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class KeyReport:
    verdict: KeyVerdict
    evidence: tuple[Evidence, ...]

    @property
    def detail(self) -> str:
        """The sentence that decided."""
        return self.evidence[-1].detail if self.evidence else ""

    def lines(self) -> list[dict[str, object]]:
        return [asdict(line) for line in self.evidence]


async def check_key(provider: Provider, key: UsableKey | None) -> KeyReport:
    """Ask the provider's list, where it needs the key, then a small model; 15 s for all."""
    targets = await sync_to_async(_cheap_targets)(provider, key)
    lines: list[Evidence] = []
    started = time.monotonic()
    async with engine() as gateway:
        listed = await _ask_list(gateway, provider, key, lines)
        if listed == KeyVerdict.WRONG_KEY:
            return KeyReport(listed, tuple(lines))
        left_s = DEADLINE_S - (time.monotonic() - started)
        answered = await _ask_models(gateway, targets, left_s, lines)
    return KeyReport(_conclude(listed, answered), tuple(lines))


def _conclude(listed: KeyVerdict | None, answered: KeyVerdict | None) -> KeyVerdict:
    """The model's answer decides; where it says nothing, the list does."""
    if answered not in (None, KeyVerdict.UNCLEAR):
        return answered
    return listed or KeyVerdict.UNCLEAR


async def _ask_list(
    gateway: Gateway, provider: Provider, key: UsableKey | None, lines: list[Evidence]
) -> KeyVerdict | None:
    """What the model list says of the key; None where it answers everyone or there is none."""
    if key is None or not (provider.list_auth_required and list_url(provider)):
        return None
    started = time.monotonic()
    try:
        body = await gateway.get(
            fill_address(list_url(provider), key.extra),
            headers=auth_headers(_bare_target(provider, key)),
            within_s=_LIST_WITHIN_S,
            allows_private_address=may_be_private(provider),
        )
    except GatewayError as error:
        verdict = _VERDICTS.get(error.outcome, KeyVerdict.UNCLEAR)
        status = error.status if isinstance(error, ProviderError) else None
        detail = _redacted(f"Model list: {_with_status(error.message, status)}", key)
        lines.append(_line(verdict, detail, time.monotonic() - started))
        return verdict
    size = file_size(len(body))
    detail = f"The model list answers to it alone, so this is a true test ({size})."
    lines.append(Evidence("ok", "The key is accepted", detail, time.monotonic() - started))
    return KeyVerdict.WORKS


async def _ask_models(
    gateway: Gateway, targets: Sequence[Target], within_s: float, lines: list[Evidence]
) -> KeyVerdict | None:
    """One model after another until one tells something about the key."""
    verdict = None
    if not targets:
        lines.append(Evidence("warn", "No model to ask", "The provider has no chat offer here."))
    until = time.monotonic() + within_s
    for target in targets:
        left_s = until - time.monotonic()
        if left_s <= 0:
            break
        attempts, completion = await _ask(gateway, target, left_s)
        lines.extend(_attempt_line(attempt, target, completion) for attempt in attempts)
        outcome = attempts[-1].outcome if attempts else Outcome.DEADLINE_PASSED
        verdict = _VERDICTS.get(outcome, KeyVerdict.UNCLEAR)
        if outcome not in _ASK_ANOTHER:
            break
    return verdict


async def _ask(
    gateway: Gateway, target: Target, within_s: float
) -> tuple[tuple[Attempt, ...], Completion | None]:
    """Every try at the target as an attempt, those that were held back here included."""
    request = ChatRequest(
        messages=(Message("user", "Reply with the word ok."),),
        max_tokens=_ANSWER_TOKENS,
        priority=Priority.INTERACTIVE,
        cache=CacheMode.SKIP,
        deadline_s=within_s,
        tests_key=True,
        source="key-test",
    )
    try:
        async with asyncio.timeout(within_s + 1):
            completion = await gateway.complete(request, [target])
    except AllTargetsFailed as failed:
        return failed.attempts, None
    except GatewayError as error:
        return (_untried(target, error),), None
    except TimeoutError:
        return (_timed_out(target, within_s),), None
    return completion.attempts, completion


def _untried(target: Target, error: GatewayError) -> Attempt:
    return Attempt(
        provider=target.provider,
        model=target.model,
        label=target.label,
        outcome=error.outcome,
        status=error.status if isinstance(error, ProviderError) else None,
        detail=error.message,
    )


def _timed_out(target: Target, within_s: float) -> Attempt:
    return Attempt(
        provider=target.provider,
        model=target.model,
        label=target.label,
        outcome=Outcome.TIMEOUT,
        duration_s=within_s,
        detail="No answer came in time.",
    )


def _attempt_line(attempt: Attempt, target: Target, completion: Completion | None) -> Evidence:
    verdict = _VERDICTS.get(attempt.outcome, KeyVerdict.UNCLEAR)
    if attempt.outcome == Outcome.ANSWERED and completion is not None:
        said = " ".join(completion.text.split())[:40]
        tokens = completion.usage.total_tokens
        detail = f"{target.model_name or target.model} said “{said}”, {tokens} tokens."
    else:
        detail = f"{target.model}: {_with_status(attempt.detail, attempt.status)}"
    if not attempt.was_sent:
        return Evidence("warn", "Held back here", detail)
    if attempt.outcome == Outcome.MODEL_GONE:
        return Evidence("warn", "This model is not offered", detail, attempt.duration_s)
    return _line(verdict, detail, attempt.duration_s)


def _line(verdict: KeyVerdict, detail: str, duration_s: float) -> Evidence:
    return Evidence(_TONES.get(verdict, "warn"), _TITLES[verdict], detail, duration_s)


def _with_status(sentence: str, status: int | None) -> str:
    return f"{sentence} (status {status})" if status and str(status) not in sentence else sentence


def _redacted(text: str, key: UsableKey) -> str:
    return text.replace(key.secret.reveal(), "…")


def _bare_target(provider: Provider, key: UsableKey) -> Target:
    return Target(
        provider=provider.slug,
        model="",
        base_url=provider.base_url,
        auth=provider.auth,
        key=key.secret,
    )


def _cheap_targets(provider: Provider, key: UsableKey | None) -> list[Target]:
    """The provider's smallest chat models; those that think first come last."""
    offers = Offer.objects.filter(
        provider=provider, status=OfferStatus.ACTIVE, model__modality__in=CHAT_MODALITIES
    ).select_related("model", "provider")
    cheapest = _cheapest(offers)[:_MOST_MODELS]
    attach(cheapest)
    return [build_target(offer, key) for offer in cheapest]


def _cheapest(offers: Iterable[Offer]) -> list[Offer]:
    def cost(offer: Offer) -> tuple[bool, float]:
        model = offer.model
        size = model.active_params_b or model.params_b or float("inf")
        return ("reasoning" in model.specialties, size)

    return sorted(offers, key=cost)
