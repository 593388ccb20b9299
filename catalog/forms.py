"""What a person typed about keys and endpoints, made valid or answered by field."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from catalog.addresses import AddressRefused, split_address
from catalog.endpoints import MOST_MODELS
from catalog.key_store import name_of_same_key
from catalog.keys import extra_fields, extra_label
from catalog.models import Provider

LONGEST_KEY = 4_000
LONGEST_ID = 200

_EXTRA = re.compile(r"[A-Za-z0-9._-]{1,200}")
_PART_OF_ADDRESS = "It is a part of the provider's address."
_QUOTES = "\"'` \t\r\n"


def clean_secret(typed: str) -> str:
    """A key as it was meant: quotes and space around it go, anything odd inside is refused."""
    secret = typed.strip(_QUOTES)
    if any(character.isspace() for character in secret):
        raise ValidationError("A key has no space or line break inside. Copy it again.")
    if not (secret.isascii() and secret.isprintable()):
        raise ValidationError("The key holds characters that no key has. Copy it again.")
    return secret


def _secret_field(label: str, *, required: bool, help_text: str = "") -> forms.CharField:
    """Never rendered with a value: what was typed is not sent back."""
    return forms.CharField(
        label=label,
        required=required,
        max_length=LONGEST_KEY,
        help_text=help_text,
        strip=False,
        widget=forms.PasswordInput(
            render_value=False,
            attrs={"class": "input mono", "autocomplete": "off", "spellcheck": "false"},
        ),
    )


def _text_field(label: str, *, required: bool, max_length: int, **more: Any) -> forms.CharField:
    widget = forms.TextInput(attrs={"class": "input", "autocomplete": "off"})
    return forms.CharField(
        label=label, required=required, max_length=max_length, widget=widget, **more
    )


def _where_to_find(provider: Provider, name: str) -> str:
    """The step to a key that speaks of it, where there is one."""
    label = extra_label(provider, name).lower()
    step = next((step for step in provider.key_steps if label in step.lower()), "")
    return f"{step or _PART_OF_ADDRESS} In the environment it is {name}."


class KeyForm(forms.Form):
    """A new key of one provider, with the values its address needs beside the key."""

    secret = _secret_field("API key", required=True)
    label = _text_field(
        "Label", required=False, max_length=80, help_text="For telling keys apart. May stay empty."
    )

    def __init__(self, provider: Provider, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "key_%s", **kwargs})
        self.provider = provider
        self.extra_names = extra_fields(provider)
        for name in self.extra_names:
            self.fields[name] = _text_field(
                extra_label(provider, name),
                required=True,
                max_length=200,
                help_text=_where_to_find(provider, name),
            )
        self.order_fields(["secret", *self.extra_names, "label"])

    def clean_secret(self) -> str:
        secret = clean_secret(self.cleaned_data["secret"])
        if not secret:
            raise ValidationError("Enter the key.")
        same = name_of_same_key(self.provider, secret)
        if same:
            raise ValidationError(f"This key is here already, as {same}. One of it is enough.")
        return secret

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name in self.extra_names:
            value = str(cleaned.get(name, "")).strip()
            if name in cleaned and not _EXTRA.fullmatch(value):
                self.add_error(name, "Only letters, digits, dots, dashes and underscores fit here.")
        return cleaned

    @property
    def extra(self) -> dict[str, str]:
        return {name: self.cleaned_data[name].strip() for name in self.extra_names}


class EndpointForm(forms.Form):
    """An OpenAI-compatible server of our own."""

    name = _text_field("Name", required=True, max_length=80)
    base_url = _text_field(
        "Base URL",
        required=True,
        max_length=300,
        help_text="Up to and with /v1, for example http://localhost:11434/v1 (Ollama), "
        "http://gpu:8000/v1 (vLLM) or http://localhost:1234/v1 (LM Studio).",
    )
    secret = _secret_field("API key", required=False, help_text="Only if the server asks for one.")
    forgets_key = forms.BooleanField(label="Remove the key", required=False)
    allows_private_address = forms.BooleanField(
        label="Allow private addresses",
        required=False,
        help_text="Needed for this machine and the local network. Metadata services of clouds "
        "are refused all the same.",
    )
    model_ids = forms.CharField(
        label="Model ids",
        required=False,
        max_length=50_000,
        help_text="One on each line. Leave empty to take what the server lists.",
        widget=forms.Textarea(attrs={"class": "textarea mono", "rows": 4, "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "endpoint_%s", **kwargs})

    def clean_name(self) -> str:
        name = " ".join(self.cleaned_data["name"].split())
        if not name.isprintable():
            raise ValidationError("The name holds a character that cannot be shown.")
        return name

    def clean_base_url(self) -> str:
        try:
            parts = split_address(self.cleaned_data["base_url"])
        except AddressRefused as refused:
            raise ValidationError(refused.message) from refused
        path = parts.path.removesuffix("/chat/completions").removesuffix("/models").rstrip("/")
        return parts._replace(path=path).geturl()

    def clean_secret(self) -> str:
        return clean_secret(self.cleaned_data["secret"])

    def clean_model_ids(self) -> list[str]:
        lines = (line.strip() for line in self.cleaned_data["model_ids"].splitlines())
        ids = list(dict.fromkeys(line for line in lines if line))
        if len(ids) > MOST_MODELS:
            raise ValidationError(f"{len(ids)} ids are too many; at most {MOST_MODELS} fit.")
        for one in ids:
            if len(one) > LONGEST_ID or not one.isprintable():
                raise ValidationError(f"“{one[:40]}…” is not a model id.")
        return ids


class IntervalForm(forms.Form):
    """How often one provider's list is asked for."""

    minutes = forms.IntegerField(
        label="Minutes between refreshes",
        required=False,
        min_value=5,
        max_value=30 * 24 * 60,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
        error_messages={
            "min_value": "At least 5 minutes: lists change by the day, and hosts count requests.",
            "max_value": "At most 43,200 minutes, which are 30 days.",
        },
    )

    def __init__(self, provider: Provider, *args: Any, **kwargs: Any) -> None:
        every_s = provider.refresh_every_s
        initial = {"minutes": every_s // 60 if every_s else None}
        super().__init__(*args, **{"auto_id": "interval_%s", "initial": initial, **kwargs})
        usual = settings.CATALOG_REFRESH_INTERVAL_S // 60
        self.fields["minutes"].help_text = f"Empty: as for every list, {usual}."

    @property
    def every_s(self) -> int | None:
        minutes: int | None = self.cleaned_data["minutes"]
        return minutes * 60 if minutes else None
