"""What a simulated answer says it is about."""

from __future__ import annotations

import pytest

from gateway.simulator.answers import think
from gateway.simulator.asking import Ask


@pytest.mark.parametrize(
    ("prompt", "topic"),
    [
        ("Explain tidal power in two short paragraphs and bullet points", "tidal power"),
        ("Write a Python function that finds a linked list, and more", "linked list"),
        ("Why are there night trains?", "night trains"),
        ("What is photosynthesis and more?", "photosynthesis"),
        ("And then? And more? If so, why?", "your question"),
        ("12 + 30", "your question"),
        ("", "your question"),
    ],
)
def test_a_topic_is_what_the_prompt_is_about(prompt: str, topic: str) -> None:
    """Neighbouring words that tell something, never the words that hold a sentence together."""
    assert think(Ask("wren-8b", (("user", prompt),))).startswith(f"The user asks about *{topic}*.")
