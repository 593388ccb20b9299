"""What the catalog's tables say in icons, short words and addresses."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from catalog.chosen import Chosen
from catalog.facets import LABELS, FacetValue
from catalog.filters import Asked
from catalog.model_list import ModelLine
from catalog.model_page import ModelOffer
from catalog.models import Aspect
from catalog.offers import OfferLine, other_limit_words
from catalog.offers import limit_words as words_of_limits
from freellm_site.lib.format import MISSING, quantity
from freellm_site.templatetags.freellm import glyph, icon

register = template.Library()

# Each ability has its own place in a row, so that a column of rows can be scanned.
ABILITY_ICONS = {
    "reasoning": "reason",
    "tool-use": "tools",
    "vision": "vision",
    "code": "code",
    "long-context": "long",
    "multilingual": "globe",
}


class Sized(Protocol):
    params_b: float | None
    active_params_b: float | None


@register.simple_tag
def ability_slots(specialties: Collection[str]) -> SafeString:
    """One place per ability: its icon, or a dot."""
    gap = mark_safe('<span class="gap"></span>')
    places = (
        icon(shape, label=LABELS["good"][name]) if name in specialties else gap
        for name, shape in ABILITY_ICONS.items()
    )
    return format_html('<span class="slots">{}</span>', format_html_join("", "{}", zip(places)))


@register.simple_tag
def facet_values(name: str, values: Iterable[FacetValue]) -> SafeString:
    """The boxes of a facet. Not a template: a page has two hundred, in a third of the time."""
    checked, disabled = mark_safe(" checked"), mark_safe(" disabled")
    return format_html_join(
        "\n",
        '<li><label><input type="checkbox" id="facet-{}-{}" name="{}" value="{}"{}{}>'
        '<span class="truncate">{}</span><span class="n">{}</span></label></li>',
        (
            (
                *(name, one.value, name, one.value),
                *(checked if one.is_chosen else "", disabled if one.is_disabled else ""),
                *(one.label, one.count),
            )
            for one in values
        ),
    )


@register.simple_tag
def offer_glyphs(line: ModelLine) -> SafeString:
    """A shape for every offer; the sentence is for who cannot see them."""
    glyphs = format_html_join("", "{}", ((glyph(shape),) for shape in line.shapes))
    rest = format_html('<span class="faint xs">+{}</span>', line.not_drawn)
    return format_html(
        '<span class="row tight" title="{}"><span class="visually-hidden">{}</span>{}{}</span>',
        line.words,
        line.words,
        glyphs,
        rest if line.not_drawn else "",
    )


@register.filter
def size_words(model: Sized) -> str:
    """“120B, 5.1B active”; "" where the size is not published."""
    if model.params_b is None:
        return ""
    total = billions(model.params_b)
    if model.active_params_b is None or model.active_params_b == model.params_b:
        return total
    return f"{total}, {billions(model.active_params_b)} active"


@register.filter
def billions(params_b: float | None) -> str:
    return MISSING if params_b is None else quantity(params_b * 1e9)


@register.filter
def tokens(value: int | None) -> str:
    """A number of tokens, short; words where nobody published it."""
    return MISSING if value is None else quantity(value, short=True)


@register.filter
def limit(limits: Mapping[str, int], name: str) -> str:
    return quantity(limits[name], short=True) if name in limits else MISSING


@register.filter
def limit_words(limits: Mapping[str, int]) -> str:
    return words_of_limits(limits)


@register.filter
def other_limits(limits: Mapping[str, int]) -> str:
    return other_limit_words(limits)


@register.filter
def have_other_limits(lines: Iterable[OfferLine]) -> bool:
    """Whether a table of these offers needs a column for what the usual four do not show."""
    return any(other_limit_words(line.limits) for line in lines)


@register.filter
def lines_of(offers: Iterable[ModelOffer]) -> list[OfferLine]:
    return [one.line for one in offers]


@register.filter
def chosen_words(chosen: Chosen) -> str:
    """“limits by mara, hidden by jon”: what admins chose instead of what the provider says."""
    return ", ".join(
        f"{Aspect(aspect).label.lower()} by {made.author or 'an admin'}"
        for aspect, made in chosen.made.items()
    )


@register.filter
def demand(name: str) -> str:
    return LABELS["demands"].get(name, name)


@register.filter
def specialty(name: str) -> str:
    return LABELS["good"].get(name, name)


@register.filter
def toggled(asked: Asked, slug: str) -> str:
    return asked.toggled(slug)


@register.filter
def on_page(asked: Asked, page: int) -> str:
    return asked.on_page(page)
