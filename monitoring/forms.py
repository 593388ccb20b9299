"""What a person may ask of the table of calls."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from datetime import timedelta
from functools import reduce
from typing import Any, ClassVar

from django import forms
from django.contrib.auth import get_user_model
from django.db.models import Q
from django.utils import timezone

from catalog.models import Provider
from gateway.types import Outcome
from monitoring.models import CallRecord, Course
from monitoring.paging import Search
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
    user = forms.CharField(label="User", required=False, max_length=150)
    key = forms.CharField(label="Key", required=False, max_length=80)
    retried = forms.ChoiceField(
        label="Attempts",
        required=False,
        choices=[("", "Any"), ("yes", "Several"), ("no", "One at most")],
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
    MORE: ClassVar = (
        *("model", "source", "user", "key", "cached", "retried"),
        *("longer_than", "since", "until"),
    )

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

    def search(self) -> Search:
        """The calls that match every field that was understood."""
        self.is_valid()
        asked = {
            name: value for name, value in self.cleaned_data.items() if value not in ("", None)
        }
        found: CallQuerySet = CallRecord.objects.all()
        if "span" in asked:
            found = found.filter(at__gte=timezone.now() - SPANS[asked["span"]][1])
        for name, lookup in _TIMES.items():
            if name in asked:
                found = found.filter(**{lookup: asked[name]})
        by_index: list[Q] = []
        others: list[Q] = []
        for name, condition in _CONDITIONS.items():
            if name in asked:
                (by_index if name in _INDEXED else others).append(condition(asked[name]))
        # One index serves a query, so only one condition comes for nothing.
        return Search(
            found.filter(*by_index[:1]), reduce(operator.and_, [*by_index[1:], *others], Q())
        )


def _by_user(asked: str) -> Q:
    """A name that signs in, or the owner as the engine was told."""
    user = get_user_model().objects.filter(username__iexact=asked).first()
    return Q(owner=f"user:{user.pk}" if user else asked)


def _mentioning(text: str) -> Q:
    """With this id, or with the text in model or reason."""
    if CallRecord.objects.filter(call_id=text).exists():
        return Q(call_id=text)
    return Q(call_id__startswith=text) | Q(model__icontains=text) | Q(detail__icontains=text)


def _that_came_out(outcome: str) -> Q:
    """By course ("fallback") or by the engine's own word ("timeout")."""
    return Q(course=outcome) if outcome in Course.values else Q(outcome=outcome)


_TIMES = {"since": "at__gte", "until": "at__lt"}
# In the order of how few calls are left by it.
_INDEXED = ("user", "source", "provider", "outcome")
_CONDITIONS: dict[str, Callable[[Any], Q]] = {
    "user": _by_user,
    "source": lambda asked: Q(source=asked),
    "provider": lambda asked: Q(provider=asked),
    "outcome": _that_came_out,
    "q": _mentioning,
    "model": lambda asked: Q(model__icontains=asked),
    "key": lambda asked: Q(key_id=asked),
    "cached": lambda asked: ~Q(cached="") if asked == "yes" else Q(cached=""),
    "retried": lambda asked: Q(attempt_count__gt=1) if asked == "yes" else Q(attempt_count__lte=1),
    "longer_than": lambda asked: Q(duration_s__gte=asked),
}
