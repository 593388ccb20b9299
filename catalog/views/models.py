"""One model: who serves it, with which limits, and how to call it."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from catalog.model_page import bests, model_offers
from catalog.models import CHAT_MODALITIES, Change, Model
from catalog.offers import OfferLine, span
from catalog.snippets import snippets
from freellm_site.lib.htmx import HtmxRequest
from freellm_site.lib.roles import Role, has_role

LATEST_CHANGES = 12
MOST_SIMILAR = 6
ORDER_WORDS = "what answers comes first, by the share that is left"


@require_safe
def model_detail(request: HtmxRequest, slug: str) -> HttpResponse:
    model = Model.objects.filter(slug=slug).first()
    if model is None:
        return _gone(request, slug)
    offers = model.offers.all() if has_role(request.user, Role.ADMIN) else model.offers.shown()
    found = model_offers(offers)
    lines = [one.line for one in found]
    live = [line for line in lines if not line.is_retired]
    changes = Change.objects.filter(offer__model=model).select_related("provider", "offer__model")
    context = {
        "model": model,
        "offers": found,
        "bests": bests(found),
        "best": next((line.live for line in lines if line.live), None),
        "order_words": ORDER_WORDS,
        "usable_count": sum(line.is_usable for line in lines),
        "can_try": _can_try(request, model, lines),
        "provider_count": len({line.offer.provider_id for line in live}),
        "context_span": span(line.offer.context_tokens for line in live),
        "output_span": span(line.offer.max_output_tokens for line in live),
        "ids": sorted({line.offer.external_id for line in lines}),
        "snippets": snippets(live[0].offer) if live else [],
        "snippet_of": live[0].offer.provider.name if live else "",
        "changes": changes[:LATEST_CHANGES],
        "change_count": changes.count(),
    }
    return render(request, "catalog/model_detail.html", context)


def _can_try(request: HtmxRequest, model: Model, lines: Sequence[OfferLine]) -> bool:
    """Trying is calling: operators may, and somebody must answer."""
    chats = model.modality in CHAT_MODALITIES
    return chats and any(one.is_usable for one in lines) and has_role(request.user, Role.OPERATOR)


def _gone(request: HtmxRequest, slug: str) -> HttpResponse:
    """A bookmark outlived its model: say so, and name what is called alike."""
    known = dict(Model.objects.filter(offers__isnull=False).values_list("slug", "name"))
    similar = [(one, known[one]) for one in get_close_matches(slug[:160], known, MOST_SIMILAR, 0.5)]
    search = " ".join(slug.split("-")[:2])
    context = {"slug": slug, "similar": similar, "search": search}
    return render(request, "catalog/model_gone.html", context, status=404)
