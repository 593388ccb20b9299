"""What a conversation took; a figure that nobody reported is never counted as zero."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from playground.models import Run


@dataclass(frozen=True, slots=True)
class Total:
    """`words` qualify the count, or stand in for one that is not known."""

    count: int | None
    words: str = ""


@dataclass(frozen=True, slots=True)
class Totals:
    prompts: int
    tokens_in: Total
    tokens_out: Total


async def totals_of(conversation_id: int) -> Totals:
    return total([run async for run in Run.objects.filter(conversation_id=conversation_id)])


def total(runs: Sequence[Run]) -> Totals:
    answered = [run for run in runs if run.label and run.is_over]
    is_estimated = any(run.is_usage_estimated for run in answered)
    return Totals(
        prompts=sum(run.retry_of_id is None for run in runs),
        tokens_in=_sum((run.prompt_tokens for run in answered), is_estimated=is_estimated),
        tokens_out=_sum((run.completion_tokens for run in answered), is_estimated=is_estimated),
    )


def _sum(counts: Iterable[int | None], *, is_estimated: bool) -> Total:
    reports = list(counts)
    if not reports:
        return Total(None, "no data yet")
    known = [count for count in reports if count is not None]
    if not known:
        return Total(None, "not reported")
    if len(known) < len(reports):
        return Total(sum(known), "at least")
    return Total(sum(known), "about" if is_estimated else "")
