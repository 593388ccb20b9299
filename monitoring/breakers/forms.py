"""What a person may do to a breaker: always for a reason, and never for ever."""

from __future__ import annotations

from typing import ClassVar

from django import forms

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


class ForceForm(forms.Form):
    """`action` says what is done; a reset has no end, so `for_s` does not count there."""

    OPEN, CLOSED, RESET = "open", "closed", "reset"
    ACTIONS: ClassVar = [
        (OPEN, "Hold it open: nothing is sent"),
        (CLOSED, "Let calls through, whatever they are like"),
        (RESET, "Reset: close it and forget what it counted"),
    ]

    provider = forms.CharField(max_length=80, widget=forms.HiddenInput)
    model = forms.CharField(max_length=200, required=False, widget=forms.HiddenInput)
    action = forms.ChoiceField(label="What", choices=ACTIONS)
    for_s = forms.TypedChoiceField(
        label="For",
        coerce=int,
        initial=_HOUR,
        choices=[
            (5 * _MINUTE, "5 minutes"),
            (30 * _MINUTE, "30 minutes"),
            (_HOUR, "1 hour"),
            (6 * _HOUR, "6 hours"),
            (_DAY, "1 day"),
            (7 * _DAY, "7 days"),
        ],
        help_text="Then it judges by itself again. A reset holds at once and has no end.",
    )
    reason = forms.CharField(
        label="Why",
        max_length=200,
        strip=True,
        error_messages={"required": "Say why: whoever meets it later will want to know."},
        help_text="Kept with your name, and told to callers that it holds back.",
    )
