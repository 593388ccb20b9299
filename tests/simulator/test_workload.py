"""The mixed prompts that demo and benchmarks ask."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from gateway.simulator.tokens import count_tokens, split_tokens
from gateway.simulator.workload import SHARES, Prompt, prompts


def _take(seed: int, count: int) -> list[Prompt]:
    return list(islice(prompts(seed), count))


def test_the_same_seed_asks_the_same() -> None:
    """Two generators agree, another seed differs."""
    assert _take(5, 50) == _take(5, 50)
    assert _take(5, 50) != _take(6, 50)


def test_every_task_appears_in_its_share() -> None:
    """Of 2 000 prompts each task has its share within a fifth, and some are long."""
    taken = _take(1, 2_000)
    counts = Counter(one.task for one in taken)
    for task, share in SHARES.items():
        assert abs(counts[task] / 2_000 - share) < share / 5
    longest = max(count_tokens(one.text) for one in taken if one.task == "summary")
    assert longest > 10_000
    assert all(one.max_tokens > 0 and "{" not in one.text for one in taken)


def test_tokens_joined_are_the_text() -> None:
    """Splitting loses nothing, and prose comes out near four characters per token."""
    for one in _take(2, 100):
        tokens = split_tokens(one.text)
        assert "".join(tokens) == one.text
        assert 3 < len(one.text) / len(tokens) < 5
