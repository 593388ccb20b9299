"""Whatever a request holds, it is understood or refused; nothing makes the simulator fall over."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.answers import compose, think
from gateway.simulator.asking import Ask, BadAskError
from gateway.simulator.tokens import split_tokens
from gateway.simulator.wires import WIRES
from tests.factories import make_sim_model

_HINTS = {"openai": "", "cohere": "", "gemini": "wren-8b:streamGenerateContent", "nlpcloud": "m"}
_NAMES = [
    *("model", "messages", "stream", "stream_options", "include_usage", "max_tokens", "stop", "n"),
    *("temperature", "top_p", "seed", "contents", "parts", "text", "role", "content", "type"),
    *("generationConfig", "maxOutputTokens", "stopSequences", "systemInstruction"),
    *("input", "context", "history", "response", "tools", "function", "name", "parameters"),
    *("functionDeclarations", "toolConfig", "tool_choice", "response_format", "json_schema"),
]
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["user", "model", "system", "text", "image_url", "wren-8b", ""])
)
_JSON = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=4)
    ),
    max_leaves=12,
)
_ANY_TEXT = st.text(st.characters(categories=["L", "N", "P", "S", "Z", "C"]), max_size=60)


@pytest.mark.parametrize("dialect", WIRES)
@given(body=st.dictionaries(st.sampled_from(_NAMES), _JSON, max_size=5))
def test_any_json_is_read_or_refused(dialect: str, body: dict[str, Any]) -> None:
    """Every dialect answers nonsense with BadAskError and with nothing else."""
    try:
        ask = WIRES[dialect].read(json.dumps(body).encode(), _HINTS[dialect])
    except BadAskError as bad:
        assert str(bad)  # noqa: PT017 - either outcome is right, a crash is not
    else:
        assert ask.messages


@given(_ANY_TEXT, st.integers(1, 400), st.lists(_ANY_TEXT.filter(bool), max_size=2))
def test_any_prompt_gets_an_answer(text: str, max_tokens: int, stop: list[str]) -> None:
    """Lone surrogates, braces and control signs are only text; lengths and stops are kept."""
    ask = Ask("wren-8b", (("user", text),), max_tokens=max_tokens, stop=tuple(stop))
    tokens, finish_reason = compose(1, "Simulator Wren", make_sim_model(), ask)
    assert len(tokens) <= max_tokens
    assert finish_reason in ("stop", "length")
    assert not any(one in "".join(tokens) for one in stop)
    assert json.dumps("".join(tokens))
    assert think(ask)


@given(_ANY_TEXT)
def test_any_code_compiles(text: str) -> None:
    """Whatever words the prompt has, the Python block in the answer is Python."""
    ask = Ask("wren-8b", (("user", f"python {text}"),))
    answer = "".join(compose(1, "Simulator Wren", make_sim_model(), ask)[0])
    compile(answer.split("```python\n")[1].split("```")[0], "answer", "exec")


@given(_ANY_TEXT)
def test_tokens_joined_are_the_text(text: str) -> None:
    """The tokenizer loses nothing of any text."""
    assert "".join(split_tokens(text)) == text
