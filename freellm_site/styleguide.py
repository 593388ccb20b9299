"""Every component in every state, on one page."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cache

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

GROUNDS = {
    "Canvas": "color-canvas",
    "Surface": "color-surface",
    "Raised": "color-raised",
    "Sunken": "color-sunken",
    "Hover": "color-hover",
    "Line": "color-line",
    "Control edge": "color-control",
    "Ink": "color-ink",
    "Ink 2": "color-ink-2",
    "Ink 3": "color-ink-3",
    "Accent": "color-accent-fill",
    "Ok": "color-ok-fill",
    "Warn": "color-warn-fill",
    "Bad": "color-bad-fill",
    "Idle": "color-idle-fill",
    "Accent wash": "color-accent-wash",
    "Ok wash": "color-ok-wash",
    "Warn wash": "color-warn-wash",
    "Bad wash": "color-bad-wash",
    "Idle wash": "color-idle-wash",
}
SERIES = {f"Series {number}": f"chart-{number}" for number in range(1, 9)}


class SpecimenForm(forms.Form):
    """Shown filled in wrongly, so that its errors can be seen."""

    rate = forms.IntegerField(
        label="Requests a minute", help_text="What the bucket admits at most.", initial=27
    )
    burst = forms.IntegerField(
        label="Burst",
        max_value=27,
        error_messages={"max_value": "Burst is 90 but the rate is 27 a minute. Use 27 or less."},
    )
    provider = forms.ChoiceField(choices=[("one", "First provider"), ("two", "Second provider")])
    note = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}))


@cache
def icon_names() -> list[str]:
    sprite = (settings.BASE_DIR / "static" / "img" / "icons.svg").read_text()
    return re.findall(r'<symbol id="i-([a-z-]+)"', sprite)


@require_safe
def styleguide(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    context = {
        "grounds": GROUNDS,
        "series": SERIES,
        "icons": icon_names(),
        "form": SpecimenForm({"rate": 27, "burst": 90, "provider": "one", "note": ""}),
        "moments": [now - timedelta(seconds=s) for s in (8, 130, 19_080, 100_000, 3_000_000)],
        "durations": [0.0004, 0.088, 0.31, 0.8, 12, 118, 120, 19_080, 260_000],
        "quantities": [0, 7, 0.25, 940, 9_999, 12_345, 912_000_000, 1_000_000_000, None],
        "shares": [0, 0.0004, 0.42, 0.986, 0.99999, 1, None],
        "sizes": [812, 1_200, 4_000_000, 3_200_000_000],
    }
    return render(request, "styleguide.html", context)
