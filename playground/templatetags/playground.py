"""Tags of the playground's pages."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def score_meter(score: int, name: str = "") -> SafeString:
    """A part of a score as a bar; its length is an attribute, because pages allow no styles."""
    label = f"{name} {score} of 100".strip()
    return format_html(
        '<svg class="meter" role="img" aria-label="{}"><rect width="{}%"/></svg>', label, score
    )
