"""What a person may type into the playground."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.boundfield import BoundField

from catalog.complexity import Task
from playground.models import Run

PROMPT_CHARACTERS = 200_000
SYSTEM_CHARACTERS = 20_000
MAX_TOKENS = 200_000
STOP_SEQUENCES = 4
STOP_CHARACTERS = 100

TASK_LABELS = {
    Task.QUESTION: "Question",
    Task.CODE: "Code",
    Task.REASONING: "Reasoning",
    Task.TRANSLATION: "Translation",
    Task.SUMMARY: "Summary",
    Task.CREATIVE: "Creative",
    Task.EXTRACTION: "Extraction",
    Task.CHAT: "Chat",
}
_GONE = "Choose one of the models shown."


def _every(sentence: str, *codes: str) -> dict[str, str]:
    """One sentence that names the remedy, whichever way a value is wrong."""
    return dict.fromkeys(codes or ("invalid", "min_value", "max_value"), sentence)


_TOO_LONG = (
    "This has %(show_value)s characters; at most %(limit_value)s can be sent. "
    "Shorten it, or split it into several prompts."
)

_MARKED = ("system", "task", "temperature", "top_p", "max_tokens", "seed", "stop")


class PromptForm(forms.Form):
    prompt = forms.CharField(
        max_length=PROMPT_CHARACTERS,
        strip=False,
        error_messages={
            "required": "Type a prompt first.",
            "max_length": _TOO_LONG,
        },
    )
    system = forms.CharField(
        max_length=SYSTEM_CHARACTERS,
        required=False,
        strip=False,
        error_messages={"max_length": _TOO_LONG},
    )
    task = forms.ChoiceField(
        choices=[("", "Detect")] + [(task.value, label) for task, label in TASK_LABELS.items()],
        required=False,
        error_messages={"invalid_choice": "Choose one of the tasks listed."},
    )
    offer = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=2**53,
        error_messages=_every(_GONE),
    )
    conversation = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=2**53,
        error_messages=_every("This conversation is not there. Begin a new one."),
    )
    temperature = forms.FloatField(
        required=False,
        min_value=0,
        max_value=2,
        error_messages=_every("Give a number from 0 to 2, such as 0.7."),
    )
    top_p = forms.FloatField(
        label="Top p",
        required=False,
        min_value=0,
        max_value=1,
        error_messages=_every("Give a number from 0 to 1, such as 0.9."),
    )
    max_tokens = forms.IntegerField(
        label="Longest answer",
        required=False,
        min_value=1,
        max_value=MAX_TOKENS,
        error_messages=_every("Give a whole number of tokens, from 1 to 200\u202f000."),
    )
    stop = forms.CharField(
        required=False,
        max_length=1_000,
        strip=False,
        error_messages=_every(
            "All stop sequences together have at most 1000 characters.", "max_length"
        ),
    )
    seed = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=2**31 - 1,
        error_messages=_every("Give a whole number from 0 to 2\u202f147\u202f483\u202f647."),
    )
    may_fall_back = forms.BooleanField(required=False)
    use_caches = forms.BooleanField(required=False)

    def clean_prompt(self) -> str:
        prompt: str = self.cleaned_data["prompt"]
        if not prompt.strip():
            raise ValidationError("Type a prompt first.", code="required")
        return prompt

    def clean_stop(self) -> list[str]:
        """One stop sequence per line."""
        lines = [line for line in self.cleaned_data["stop"].splitlines() if line]
        if len(lines) > STOP_SEQUENCES:
            raise ValidationError(f"At most {STOP_SEQUENCES} stop sequences, one per line.")
        if any(len(line) > STOP_CHARACTERS for line in lines):
            raise ValidationError(f"A stop sequence has at most {STOP_CHARACTERS} characters.")
        return lines

    @property
    def marked(self) -> list[BoundField]:
        """Fields whose errors stand beside them."""
        return [self[name] for name in _MARKED]

    @property
    def has_marks(self) -> bool:
        return any(field.errors for field in self.marked)

    @property
    def unplaced_errors(self) -> list[str]:
        """What is said above the prompt, because no field shows it."""
        names = [name for name in self.errors if name not in _MARKED]
        return [str(error) for name in names for error in self.errors[name]]

    @property
    def parameters(self) -> dict[str, Any]:
        """What a run keeps of the advanced part."""
        names = (
            "temperature", "top_p", "max_tokens", "stop", "seed", "may_fall_back", "use_caches",
        )  # fmt: skip
        return {name: self.cleaned_data[name] for name in names}

    @property
    def task_choice(self) -> Task | None:
        chosen = self.cleaned_data.get("task")
        return Task(chosen) if chosen else None


def kept_by(run: Run) -> dict[str, Any]:
    """What a run was sent with, as the form takes it."""
    stop = run.parameters.get("stop") or []
    return {**run.parameters, "stop": "\n".join(stop), "system": run.system}


class TitleForm(forms.Form):
    title = forms.CharField(max_length=80, error_messages={"required": "Give it a title."})
