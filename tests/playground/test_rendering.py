"""Markdown that grows: what is settled stays, and the end looks as if rendered at once."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.rendering import GrowingAnswer, render_markdown

blocks = st.sampled_from(
    [
        "A paragraph with **bold** words.",
        "## A heading",
        "- one\n- two\n- three",
        "1. first\n2. second",
        "```python\ndef f() -> int:\n    return 1\n```",
        "> said somebody",
        "| a | b |\n| - | - |\n| 1 | 2 |",
        "---",
    ]
)
answers = st.lists(blocks, min_size=1, max_size=6).map("\n\n".join)


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@given(answers, st.integers(1, 40))
def test_growing_ends_where_rendering_at_once_does(text: str, step: int) -> None:
    """However the text arrives, the same words stand on the page in the same order."""
    growing, settled, tail = GrowingAnswer(), "", ""
    for end in [*range(step, len(text), step), len(text)]:
        done, tail = growing.grow(text[:end])
        settled += done
    assert words(settled + tail) == words(render_markdown(text))


def test_settled_blocks_are_not_sent_again() -> None:
    """Only the block that still grows is rendered anew."""
    growing = GrowingAnswer()
    growing.grow("First paragraph.\n\nSecond one")
    done, tail = growing.grow("First paragraph.\n\nSecond one is longer")
    assert done == ""
    assert "First" not in tail
    assert "longer" in tail


def test_the_caret_stands_in_the_last_line() -> None:
    """It follows the last word, in a paragraph as in a list."""
    _, paragraph = GrowingAnswer().grow("Some words")
    _, listed = GrowingAnswer().grow("- one\n- two")
    assert 'words<span class="caret"></span></p>' in paragraph
    assert 'two<span class="caret"></span></li>' in listed


@given(st.text(max_size=500))
def test_nothing_dangerous_comes_through(text: str) -> None:
    """Whatever a model writes, no script, handler or foreign picture reaches the page."""
    html = render_markdown(f"<script>{text}</script> ![{text}](https://example.org/x) {text}")
    assert "<script" not in html
    assert "<img" not in html
    assert not re.search(r"<[^>]*\son\w+=", html)
    assert "javascript:" not in re.findall(r'href="([^"]*)"', html)


def test_code_is_highlighted_and_can_be_copied() -> None:
    """A fence with a known language has coloured words, an unknown one plain text."""
    assert '<span class="k">def</span>' in render_markdown("```python\ndef f(): ...\n```")
    assert "&lt;b&gt;" in render_markdown("```nosuchlanguage\n<b>\n```")
    assert "data-copy-code" in render_markdown("```\nx\n```")


@pytest.mark.parametrize("block", ["| a " * 20_000, "x" * 80_000, "> * [" * 16_000])
def test_a_huge_block_is_not_parsed_again_and_again(block: str) -> None:
    """What still grows is sent as its end only, as plain text."""
    settled, tail = GrowingAnswer().grow(block)
    assert settled == ""
    assert len(tail) < 30_000
    assert "<table" not in tail


def test_an_endless_answer_stands_as_it_came() -> None:
    """Beyond a bound nothing is parsed, and nothing is lost."""
    html = render_markdown("<b>" + "word " * 30_000)
    assert html.startswith('<pre tabindex="0">&lt;b&gt;word')
    assert html.count("word") == 30_000


def test_lists_and_quotations_take_their_direction_from_their_text() -> None:
    """Their markers stand where the text begins, whatever its script; a list keeps its start."""
    html = render_markdown("- قائمة\n\n3. three\n\n> שלום")
    assert '<ul dir="auto">' in html
    assert '<ol start="3" dir="auto">' in html
    assert '<blockquote dir="auto">' in html


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("java", "a\n" * 9_500),
        ("matlab", "\n" * 19_000),
        ("zeek", "0" * 19_000),
    ],
)
def test_code_that_is_slow_to_highlight_is_shown_plain(language: str, code: str) -> None:
    """Some highlighters' time grows with the square of odd code, during which all others wait."""
    began_s = time.thread_time()
    html = render_markdown(f"```{language}\n{code}end\n```")
    assert time.thread_time() - began_s < 3
    assert "end" in html
