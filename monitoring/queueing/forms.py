"""Pausing and draining."""

from __future__ import annotations

from typing import Any

from django import forms

from catalog.models import Provider
from gateway.dispatch.sharing import ALL

_SPANS = [(600, "10 minutes"), (3600, "1 hour"), (24 * 3600, "24 hours")]


class HoldForm(forms.Form):
    """Which provider, how, for how long and why."""

    provider = forms.ChoiceField(label="Provider")
    how = forms.ChoiceField(
        label="What",
        choices=[("pause", "Pause: new calls wait"), ("drain", "Drain: new calls go elsewhere")],
        help_text="Calls that a provider works on go on in either case.",
    )
    for_s = forms.TypedChoiceField(label="For", choices=_SPANS, coerce=int, initial=3600)
    reason = forms.CharField(
        label="Why",
        max_length=200,
        widget=forms.TextInput(
            attrs={"placeholder": "Such as: its status page tells of an outage"}
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = Provider.objects.filter(is_retired=False).order_by("name")
        choices = [(ALL, "Every provider"), *known.values_list("slug", "name")]
        self.fields["provider"].choices = choices  # type: ignore[attr-defined]  # a ChoiceField
