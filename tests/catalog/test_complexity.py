"""What is read from a prompt: its task, how hard it is, how long it and its answer are."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.complexity import Complexity, Task, detect_task, read_needs


@pytest.mark.parametrize(
    ("prompt", "task"),
    [
        ("What is the capital of France?", Task.QUESTION),
        ("Write a Python function that reverses a list", Task.CODE),
        ("```\nTypeError: x is not a function\n```\nWhat is wrong?", Task.CODE),
        ("Schreibe eine Funktion in Rust", Task.CODE),
        ("写一个函数", Task.CODE),
        ("Prove that the square root of 2 is irrational", Task.REASONING),
        ("Berechne die Wahrscheinlichkeit, dass zwei Würfel gleich fallen", Task.REASONING),
        ("Translate into German: good morning", Task.TRANSLATION),
        ("Übersetze ins Englische: Guten Morgen", Task.TRANSLATION),
        ("Traduis en anglais : bonjour", Task.TRANSLATION),
        ("Summarise the following article", Task.SUMMARY),
        ("总结这篇文章", Task.SUMMARY),
        ("Write a haiku about rain", Task.CREATIVE),
        ("Extract all names as JSON", Task.EXTRACTION),
        ("hello", Task.CHAT),
        ("привет", Task.CHAT),
        ("", Task.QUESTION),
    ],
)
def test_the_task_is_told_by_its_cues(prompt: str, task: Task) -> None:
    """Words and shapes in several languages say what is asked for."""
    assert detect_task(prompt) is task


@pytest.mark.parametrize(
    ("prompt", "complexity"),
    [
        ("hi", Complexity.SIMPLE),
        ("What is the capital of France?", Complexity.SIMPLE),
        ("Write a Python function that reverses a list", Complexity.MEDIUM),
        (
            "Design a distributed rate limiter in Rust, compare two algorithms in detail, prove it",
            Complexity.HARD,
        ),
    ],
)
def test_complexity_grows_with_what_is_asked(prompt: str, complexity: Complexity) -> None:
    """Length, task and demands add up."""
    assert read_needs(prompt).complexity is complexity


def test_a_chosen_task_overrules_the_detected_one() -> None:
    """The person knows better than the cues."""
    needs = read_needs("Write a Python function", task=Task.CREATIVE)
    assert needs.task is Task.CREATIVE
    assert "code" not in needs.skills


def test_system_text_and_earlier_turns_count() -> None:
    """What must fit is everything that is sent, and room for the answer."""
    alone = read_needs("Why?", max_tokens=100)
    together = read_needs("Why?", system="x" * 400, history_tokens=500, max_tokens=100)
    assert together.tokens == alone.tokens + 600


def test_foreign_letters_ask_for_a_model_of_many_languages() -> None:
    """A Russian question wants a model that speaks Russian."""
    assert "multilingual" in read_needs("Почему небо голубое?").skills


@given(st.text(max_size=2_000))
def test_any_text_has_needs(prompt: str) -> None:
    """Nothing that can be typed breaks the reading."""
    needs = read_needs(prompt)
    assert needs.tokens > 0
    assert needs.answer_tokens > 0


@pytest.mark.parametrize(
    ("prompt", "task"),
    [
        ("A box holds 12 pens, and Ann buys 3 of them. How many pens has she?", Task.REASONING),
        ("In 1912 a ship sank. What was its name?", Task.QUESTION),
        ("3 and 4? How do you do?", Task.QUESTION),
        (" \n  import os", Task.CODE),
    ],
)
def test_shapes_tell_a_task_too(prompt: str, task: Task) -> None:
    """A question after several numbers is to be worked out."""
    assert detect_task(prompt) is task


@pytest.mark.parametrize("piece", ["1. ", "1 2 ", "\n", "\n  ", "1 -", "1 How ", "what 1 "])
def test_no_prompt_takes_the_square_of_its_length(piece: str) -> None:
    """Patterns that try again from every place would take a hundred times what prose takes."""
    prose = "The quick brown fox jumps over the lazy dog. " * 5_000
    assert cost_s(piece * (200_000 // len(piece))) < 20 * cost_s(prose)


def cost_s(prompt: str) -> float:
    """Of the processor: what others do there meanwhile does not count."""
    began_s = time.thread_time()
    read_needs(prompt)
    return time.thread_time() - began_s
