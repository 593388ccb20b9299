"""What a person may ask of the table of calls."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.utils import timezone

from catalog.models import Provider
from gateway.types import Outcome
from monitoring.models import CallRecord, Course
from monitoring.querysets import CallQuerySet

SPANS = {
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 h", timedelta(hours=24)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
}
OUTCOME_WORDS = {outcome.value: outcome.value.replace("_", " ").capitalize() for outcome in Outcome}
_WHY = [
    (value, word)
    for value, word in OUTCOME_WORDS.items()
    if value not in (Outcome.ANSWERED, Outcome.CANCELLED)
]
_COURSES = [(course.value, course.label.capitalize()) for course in Course]


class CallFilter(forms.Form):
    """Every field may be empty; one that is wrong is said beside it, and the others still hold."""

    q = forms.CharField(
        label="Find",
        required=False,
        max_length=80,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "Call id, model or reason"}),
    )
    span = forms.ChoiceField(
        label="When",
        required=False,
        choices=[("", "Any time"), *((key, label) for key, (label, _) in SPANS.items())],
    )
    provider = forms.CharField(label="Provider", required=False, max_length=80)
    model = forms.CharField(label="Model", required=False, max_length=200)
    outcome = forms.ChoiceField(
        label="Outcome",
        required=False,
        choices=[
            ("", "Any"),
            ("answered", "Answered"),
            ("How it came out", _COURSES),
            ("Why it failed", _WHY),
        ],
    )
    source = forms.CharField(label="Source", required=False, max_length=40)
    cached = forms.ChoiceField(
        label="Cache",
        required=False,
        choices=[("", "Any"), ("yes", "From a cache"), ("no", "From a provider")],
    )
    longer_than = forms.FloatField(
        label="Longer than, s",
        required=False,
        min_value=0,
        # A text field keeps what was typed, also when it is no number.
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
    )
    since = forms.DateTimeField(
        label="From", required=False, widget=forms.DateTimeInput(attrs={"type": "datetime-local"})
    )
    until = forms.DateTimeField(
        label="To", required=False, widget=forms.DateTimeInput(attrs={"type": "datetime-local"})
    )

    FIRST: ClassVar = ("q", "span", "provider", "outcome")
    MORE: ClassVar = ("model", "source", "cached", "longer_than", "since", "until")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = Provider.objects.order_by("name").values_list("slug", "name")
        self.names = dict(names)
        asked = str(self.data.get("provider", ""))[:80]
        # Calls outlive their provider, so a slug that the catalog has forgotten stays askable.
        gone = [(asked, asked)] if asked and asked not in self.names else []
        self.fields["provider"].widget = forms.Select(
            choices=[("", "Any"), *self.names.items(), *gone]
        )
        for name, field in self.fields.items():
            kind = "select" if isinstance(field.widget, forms.Select) else "input"
            field.widget.attrs["class"] = kind
            if name in self.errors:
                field.widget.attrs["aria-invalid"] = "true"
                field.widget.attrs["aria-describedby"] = f"id_{name}_error"

    def clean_longer_than(self) -> float | None:
        seconds: float | None = self.cleaned_data["longer_than"]
        if seconds is not None and not math.isfinite(seconds):
            raise forms.ValidationError("Enter a number of seconds.")
        return seconds

    @property
    def first_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.FIRST]

    @property
    def more_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.MORE]

    @property
    def has_more(self) -> bool:
        """Whether something is asked, or wrong, among the fields that are folded away."""
        return any(self.data.get(name) for name in self.MORE)

    @property
    def problems(self) -> list[tuple[str, str]]:
        """The fields that were not understood, by the names a person sees, and why."""
        return [
            (str(self.fields[name].label), " ".join(str(one) for one in errors))
            for name, errors in self.errors.items()
        ]

    def calls(self) -> CallQuerySet:
        """The calls that match every field that was understood."""
        self.is_valid()
        asked = {
            name: value for name, value in self.cleaned_data.items() if value not in ("", None)
        }
        found: CallQuerySet = CallRecord.objects.all()
        if "q" in asked:
            found = found.mentioning(asked["q"])
        if "span" in asked:
            found = found.filter(at__gte=timezone.now() - SPANS[asked["span"]][1])
        if "outcome" in asked:
            found = found.that_came_out(asked["outcome"])
        if "cached" in asked:
            found = (
                found.exclude(cached="") if asked["cached"] == "yes" else found.filter(cached="")
            )
        for field, lookup in _LOOKUPS.items():
            if field in asked:
                found = found.filter(**{lookup: asked[field]})
        return found


_LOOKUPS = {
    "provider": "provider",
    "model": "model__icontains",
    "source": "source",
    "longer_than": "duration_s__gte",
    "since": "at__gte",
    "until": "at__lte",
}
