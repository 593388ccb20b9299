"""What an admin typed about an offer, a model or a provider, made valid or answered by field."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.boundfield import BoundField

from catalog.choices import ASPECTS, Author, Subject, choose, take_back
from catalog.models import Aspect, Model
from catalog.offers import IN_COLUMNS, in_full
from gateway.types import LIMIT_NAMES

LONGEST_NAME = 160
LONGEST_NOTE = 2_000
MOST = 10**12
NO_LIMIT = "none"

_FREE = {"": None, "yes": True, "no": False}
_FREE_LABELS = (("", "As its provider says"), ("yes", "Free"), ("no", "Not free: never call it"))
_PREFIX = "limit_"
_FACTORS = {"": 1, "k": 1_000, "m": 1_000_000}
_AMOUNT = re.compile(r"(\d{1,15})([km]?)")


class ChoiceForm(forms.Form):
    """All that may be chosen of `subject`. Empty fields leave it to what its provider says."""

    def __init__(self, subject: Subject, data: Any = None) -> None:
        super().__init__(data, auto_id="choice_%s")
        self.subject = subject
        self.aspects = ASPECTS[type(subject)]
        for aspect in self.aspects:
            self.fields |= _fields(aspect, subject)

    @property
    def usual_limits(self) -> list[BoundField]:
        return [self[f"{_PREFIX}{name}"] for name in IN_COLUMNS]

    @property
    def other_limits(self) -> list[BoundField]:
        return [self[f"{_PREFIX}{name}"] for name in LIMIT_NAMES if name not in IN_COLUMNS]

    @property
    def has_other_limits(self) -> bool:
        return any(one.value() or one.errors for one in self.other_limits)

    def clean_name(self) -> str:
        name = " ".join(self.cleaned_data["name"].split())
        if not name.isprintable():
            raise ValidationError("The name holds a character that cannot be shown.")
        return name

    def save(self, user: Author) -> int:
        """Answer how many choices this changed."""
        return sum(self._save_one(aspect, user) for aspect in self.aspects)

    def _save_one(self, aspect: Aspect, user: Author) -> int:
        value = self._value(aspect)
        if value in (None, "", {}) or (value is False and aspect != Aspect.FREE):
            return take_back([self.subject], aspect, user)
        return choose([self.subject], aspect, value, user)

    def _value(self, aspect: Aspect) -> Any:
        if aspect == Aspect.FREE:
            return _FREE[self.cleaned_data["free"]]
        if aspect != Aspect.LIMITS:
            return self.cleaned_data[aspect]
        typed = {name: self.cleaned_data[f"{_PREFIX}{name}"] for name in LIMIT_NAMES}
        return {
            name: None if amount == NO_LIMIT else amount for name, amount in typed.items() if amount
        }


class AmountField(forms.CharField):
    """A whole number, also as 1 000 or 1.5k's short form 30k; "none" for no such limit."""

    def clean(self, value: Any) -> int | str:
        text = re.sub(r"[\s,_]", "", str(value or "")).lower()
        if text in {"", NO_LIMIT}:
            return text
        match = _AMOUNT.fullmatch(text) if text.isascii() else None
        amount = int(match[1]) * _FACTORS[match[2]] if match else 0
        if not 0 < amount <= MOST:
            raise ValidationError(
                "Enter a whole number from 1 on, such as 30 or 500k; “none” where there is no "
                "such limit; nothing to leave it to its provider."
            )
        return amount


def _fields(aspect: Aspect, subject: Subject) -> dict[str, forms.Field]:
    chosen = subject.chosen
    if aspect == Aspect.LIMITS and not isinstance(subject, Model):
        return _limit_fields(subject.published_limits, chosen.limits)
    field: forms.Field
    if aspect == Aspect.NAME:
        field = forms.CharField(
            label="Name", required=False, max_length=LONGEST_NAME, initial=chosen.name
        )
        field.widget.attrs["placeholder"] = subject.name
    elif aspect == Aspect.NOTE:
        field = forms.CharField(
            label="Note",
            required=False,
            max_length=LONGEST_NOTE,
            initial=chosen.note,
            widget=forms.Textarea(attrs={"rows": 3}),
            help_text="Everybody reads it on the pages.",
        )
    elif aspect == Aspect.FREE:
        initial = next(key for key, value in _FREE.items() if value is chosen.is_free)
        field = forms.ChoiceField(
            label="Terms", required=False, choices=_FREE_LABELS, initial=initial
        )
    elif aspect == Aspect.HIDDEN:
        field = forms.BooleanField(
            label="Hidden: neither shown nor called", required=False, initial=chosen.is_hidden
        )
    else:
        field = forms.BooleanField(
            label="Pinned: stands first in lists", required=False, initial=chosen.is_pinned
        )
    return {str(aspect): field}


def _limit_fields(published: Any, pinned: Any) -> dict[str, forms.Field]:
    fields: dict[str, forms.Field] = {}
    for name in LIMIT_NAMES:
        held = pinned.get(name, "")
        field = AmountField(
            label=in_full(name).capitalize(),
            required=False,
            initial=NO_LIMIT if held is None else held,
        )
        said = f"{published[name]} published" if name in published else "not published"
        field.widget.attrs |= {"placeholder": said, "inputmode": "numeric", "maxlength": 20}
        fields[f"{_PREFIX}{name}"] = field
    return fields
