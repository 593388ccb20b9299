"""What may be removed from the cache."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

from django import forms

from gateway.cache.kinds import KINDS

_TAGS = ("provider", "offer", "owner")


class ClearForm(forms.Form):
    """`what` says which of the other fields counts."""

    what = forms.ChoiceField(choices=[(one, one) for one in ("kind", "tag", "entry", "all")])
    kind = forms.ChoiceField(required=False, choices=[(one.name, one.name) for one in KINDS])
    name = forms.RegexField(r"^[0-9a-f]{64}$", required=False)
    tag = forms.CharField(
        label="Everything with the tag",
        required=False,
        max_length=300,
        widget=forms.TextInput(
            attrs={"placeholder": "offer:groq/llama-3.3-70b-versatile", "list": "known-tags"}
        ),
        help_text="provider:…, offer:provider/model or owner:… In every tier and process.",
    )

    def clean_tag(self) -> str:
        """As the engine writes tags: the parts percent-encoded."""
        tag = self.cleaned_data["tag"].strip()
        if not tag:
            return ""
        what, colon, value = tag.partition(":")
        if what not in _TAGS or not colon or not value:
            raise forms.ValidationError(
                "A tag begins with provider:, offer: or owner:, as in provider:groq."
            )
        return f"{what}:{quote(unquote(value))}"

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        wanted = {"kind": ("kind",), "tag": ("tag",), "entry": ("kind", "name")}
        for field in wanted.get(cleaned.get("what", ""), ()):
            if not cleaned.get(field) and field not in self.errors:
                self.add_error(field, f"Say which {field}.")
        return cleaned

    def wanted(self) -> dict[str, Any]:
        """For `Cache.clear`."""
        cleaned = self.cleaned_data
        return {
            "kind": {"kinds": [cleaned["kind"]]},
            "tag": {"tags": [cleaned["tag"]]},
            "entry": {"names": [(cleaned["kind"], cleaned["name"])]},
            "all": {"kinds": [one.name for one in KINDS]},
        }[cleaned["what"]]
