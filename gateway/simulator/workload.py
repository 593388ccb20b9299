"""Mixed prompts with the task each belongs to, from a seed: what demo and benchmarks ask."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Task = Literal["chat", "code", "reasoning", "translation", "summary", "writing"]

SHARES: Mapping[Task, float] = {
    "chat": 0.34,
    "code": 0.24,
    "reasoning": 0.14,
    "translation": 0.10,
    "summary": 0.10,
    "writing": 0.08,
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """One thing to ask; `max_tokens` bounds the answer as a person trying it would."""

    task: Task
    text: str
    max_tokens: int


_SUBJECTS = (
    "tidal power",
    "a small bakery's bookkeeping",
    "migrating birds",
    "night trains",
    "a shared garden",
    "public libraries",
    "solar panels on a rented roof",
    "learning the cello at forty",
    "a village's flood defence",
    "second-hand bicycles",
)
_LANGUAGES = ("German", "Portuguese", "Japanese", "Swahili", "Polish", "Arabic")
_SENTENCES = (
    "The ferry leaves at a quarter past six unless the wind is from the north.",
    "We would rather repair the old pump than wait another month for a new one.",
    "Her notes were short, exact and almost impossible to read.",
    "Nobody on the committee remembered who had ordered forty chairs.",
)
_CHAT = (
    "What should a beginner know about {subject}?",
    "Give me three surprising facts about {subject}.",
    "Is {subject} worth the effort? Answer in a few sentences.",
    "What do people usually get wrong about {subject}?",
)
_CODE = (
    "Write a Python function that groups records about {subject} by month, with unit tests.",
    "Write a SQL query that finds the ten most frequent entries on {subject} per year.",
    "Refactor this loop into a generator: for row in rows: result.append(parse(row))",
    "Write a regex that finds ISO dates in notes on {subject}, and explain each part.",
    "Implement a small LRU cache class in Python without functools.",
)
_REASONING = (
    (
        "A pool fills in {a} hours through one pipe and in {b} through another. How long do both "
        "take together? Think step by step."
    ),
    "If {a} people shake hands with each other once, how many handshakes are there? Prove it.",
    (
        "A train covers {b}0 km in {a} hours, then half that distance in one hour. What was its "
        "average speed? Explain each step."
    ),
    "Three boxes are all labelled wrongly. How few draws tell which is which? Show why.",
)
_WRITING = (
    "Write a short story about {subject} that ends with a letter.",
    "Write a friendly e-mail to the neighbours about {subject}.",
    "Write a product description for a book on {subject}, in two paragraphs.",
)


def prompts(seed: int, shares: Mapping[Task, float] = SHARES) -> Iterator[Prompt]:
    """Endlessly many prompts, mixed by `shares`; the same seed gives the same ones."""
    dice = random.Random(seed)  # noqa: S311 - a simulation, not a secret
    tasks, weights = list(shares), list(shares.values())
    while True:
        yield _prompt(dice, dice.choices(tasks, weights)[0])


def _prompt(dice: random.Random, task: Task) -> Prompt:
    subject = dice.choice(_SUBJECTS)
    match task:
        case "chat":
            return Prompt(task, dice.choice(_CHAT).format(subject=subject), 400)
        case "code":
            return Prompt(task, dice.choice(_CODE).format(subject=subject), 900)
        case "reasoning":
            numbers = {"a": dice.randint(3, 9), "b": dice.randint(4, 12)}
            return Prompt(task, dice.choice(_REASONING).format(**numbers), 700)
        case "translation":
            sentences = " ".join(dice.choices(_SENTENCES, k=dice.randint(1, 4)))
            return Prompt(task, f"Translate into {dice.choice(_LANGUAGES)}: {sentences}", 300)
        case "summary":
            return Prompt(task, f"Summarise in five points:\n\n{_report(dice, subject)}", 350)
        case "writing":
            return Prompt(task, dice.choice(_WRITING).format(subject=subject), 800)


def _report(dice: random.Random, subject: str) -> str:
    """A long text, from about 1 000 to 16 000 tokens."""
    paragraphs = []
    for number in range(1, dice.randint(12, 200)):
        sentences = " ".join(dice.choices(_SENTENCES, k=4))
        paragraphs.append(f"{number}. On {subject}: {sentences}")
    return "\n\n".join(paragraphs)
