"""One model's offers as its page shows them: limits by source, how each stands, how each did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from catalog.known_limits import Figure, KnownLimit, Source
from catalog.limit_pools import limits_of
from catalog.live import Look, look_at
from catalog.measured import Measured, fastest, measured, quickest, surest
from catalog.offers import OfferLine, in_trying_order, offer_lines, with_live
from catalog.querysets import OfferQuerySet
from catalog.targets import engine_limits, usability


@dataclass(frozen=True)
class ModelOffer:
    """`place` is its turn in the order of trying, from 1; None where no call is sent to it."""

    line: OfferLine
    place: int | None
    did: Measured | None
    longest_context: int | None

    @cached_property
    def limits(self) -> Mapping[str, KnownLimit]:
        return {one.name: one for one in limits_of(self.line)}

    @property
    def origin(self) -> Figure | None:
        """How its limits are known: the one that was learned last, where any was."""
        figures = [one.in_force for one in self.limits.values()]
        learned = [one for one in figures if one.source is not Source.PUBLISHED]
        return next(iter(learned or figures), None)

    @property
    def is_shortened(self) -> bool:
        """Whether others serve the model with a longer context."""
        context = self.line.offer.context_tokens
        return bool(context and self.longest_context and context < self.longest_context)


@dataclass(frozen=True, slots=True)
class Bests:
    """The best figure of all offers, and whose it is."""

    first_token_s: float | None
    tokens_per_s: float | None
    answered_share: float | None
    calls: int


def model_offers(offers: OfferQuerySet) -> list[ModelOffer]:
    """In the order in which they would be tried; what no call is sent to comes last."""
    now = usability()
    lines = offer_lines(offers, now.obstacles)
    looks = {
        one.pk: Look(
            one.provider,
            one.external_id,
            engine_limits(one),
            now.keys.get(one.provider_id, ()),
        )
        for one in (line.offer for line in lines if line.is_usable)
    }
    lines = in_trying_order(with_live(lines, look_at(looks)))
    figures = measured()
    contexts = [one.offer.context_tokens for one in lines if one.offer.context_tokens]
    return [
        ModelOffer(
            line=line,
            place=place if line.is_usable else None,
            did=figures.get((line.offer.provider.slug, line.offer.external_id)),
            longest_context=max(contexts, default=None),
        )
        for place, line in enumerate(lines, start=1)
    ]


def bests(offers: Sequence[ModelOffer]) -> Bests:
    did = [one.did for one in offers if one.did]
    calls = sum(one.calls for one in did)
    return Bests(quickest(did), fastest(did), surest(did), calls)
