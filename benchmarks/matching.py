"""What choosing a model for each prompt saves: 500 offers, 600 mixed prompts.

The baseline always takes the largest model that is able. Time and adequacy of the answers are
reckoned by the rules of `benchmarks/world.py`, which the product does not know. A decision reads
the prompt, ranks every offer that can do it, and writes the three picks out with their reasons; it
is measured in CPU time of one thread, because it waits for nothing and other programs' time is
not ours.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice

from benchmarks.result import Claim, Result
from benchmarks.world import Demand, answer_s, demand, is_adequate
from catalog.candidates import CHAT_MODALITIES, Candidate, Pool, Standing, why_unable
from catalog.complexity import read_needs
from catalog.mapping import bundled
from catalog.recommend import picks, recommend
from gateway.simulator.workload import prompts
from gateway.types import parse_limits

OFFERS, PROMPTS = 500, 600


async def run(is_tiny: bool) -> Result:
    offers, asked = (20, 20) if is_tiny else (OFFERS, PROMPTS)
    candidates = _candidates(offers)
    dice = random.Random(2)  # noqa: S311 - no secret
    demands = [demand(prompt, dice) for prompt in islice(prompts(1), asked)]
    largest, reading_ms, picked = _decide_all(candidates, [one.prompt.text for one in demands])
    by_largest, ours = _Answers(largest, candidates, demands), _Answers(picked, candidates, demands)
    fastest = statistics.fmean(
        min(answer_s(one, d) for one in candidates if is_adequate(one, d)) for d in demands
    )
    of_code = [at for at, one in enumerate(demands) if one.prompt.task == "code"]
    return Result(
        name="matching",
        unit="s per answer (mean, simulated)",
        baseline=round(by_largest.mean_s(), 3),
        ours=round(ours.mean_s(), 3),
        limit=round(fastest, 3),
        article="code answered in 71 % less time",
        claims=(
            Claim(
                "time beside always the largest",
                round(ours.mean_s() / by_largest.mean_s(), 3),
                "≤",
                0.35,
            ),
            Claim(
                "adequate answers beside the largest's",
                round(ours.adequate - by_largest.adequate, 4),
                "≥",
                0,
            ),
            Claim("CPU of a decision (p50)", round(_p50(picked.took_ms), 3), "≤", 1, "ms"),
        ),
        details={
            "adequate": f"ours {ours.adequate:.2%}, the largest {by_largest.adequate:.2%}",
            "code alone": f"{1 - ours.mean_s(of_code) / by_largest.mean_s(of_code):.0%} less time",
            "offers": f"{offers}, the quota of every fifth known, more than is asked about at once",
            "prompts": asked,
            "CPU of a decision (p95, prompts of 16 000 tokens among them)": (
                f"{_p95(picked.took_ms):.3f} ms"
            ),
            "CPU of taking the largest (p50)": f"{_p50(largest.took_ms):.3f} ms",
            "reading the prompt (p50)": f"{_p50(reading_ms):.3f} ms",
        },
    )


class _Answers:
    """What the models that were chosen would have made of it."""

    def __init__(
        self, decisions: _Decisions, candidates: Sequence[Candidate], demands: Sequence[Demand]
    ) -> None:
        by_id = {one.offer_id: one for one in candidates}
        chosen = [by_id[offer_id] for offer_id in decisions.chosen]
        pairs = list(zip(chosen, demands, strict=True))
        self.took_s = [answer_s(model, one) for model, one in pairs]
        self.adequate = statistics.fmean(is_adequate(model, one) for model, one in pairs)

    def mean_s(self, which: Sequence[int] | None = None) -> float:
        return statistics.fmean(self.took_s if not which else (self.took_s[at] for at in which))


class _Decisions:
    def __init__(self) -> None:
        self.took_ms: list[float] = []
        self.chosen: list[int] = []

    def time(self, decide: Callable[[str], int], text: str) -> None:
        began = time.thread_time()
        offer_id = decide(text)
        self.took_ms.append((time.thread_time() - began) * 1_000)
        self.chosen.append(offer_id)


def _decide_all(
    candidates: Sequence[Candidate], texts: Sequence[str]
) -> tuple[_Decisions, list[float], _Decisions]:
    """Both decide every prompt, in turn, so that a busy machine hits both alike."""
    pool = Pool(candidates)
    dice = random.Random(1)  # noqa: S311 - no secret
    standings = {
        one.offer_id: Standing(left=dice.random(), left_words="some left", is_health_known=True)
        for one in dice.sample(candidates, k=len(candidates) // 5)
    }

    def by_size(text: str) -> int:
        needs = read_needs(text)
        able = [one for one in candidates if why_unable(one, needs) is None]
        return max(able, key=lambda one: one.params_b or 0.0).offer_id

    def by_us(text: str) -> int:
        shown = picks(recommend(read_needs(text), pool, standings))
        written = [(one.candidate.offer_id, one.reasons) for one in shown]
        return written[0][0]

    largest, picked, reading_ms = _Decisions(), _Decisions(), []
    for text in texts:
        began = time.thread_time()
        read_needs(text)
        reading_ms.append((time.thread_time() - began) * 1_000)
        largest.time(by_size, text)
        picked.time(by_us, text)
    return largest, reading_ms, picked


def _candidates(count: int) -> list[Candidate]:
    """The mapping's own offers, again and again until there are enough."""
    known = [
        (model, offer)
        for model in bundled().models
        if model.modality in CHAT_MODALITIES
        for offer in model.offers
    ]
    return [
        Candidate(
            offer_id=number,
            provider_slug=offer.provider,
            provider_name=offer.provider,
            model_slug=model.slug,
            model_name=model.name,
            external_id=offer.id,
            params_b=model.params_b,
            active_params_b=model.active_params_b,
            modality=model.modality,
            specialties=frozenset(model.specialties),
            context_tokens=offer.context_tokens,
            limits=parse_limits(offer.limits),
        )
        for number, (model, offer) in enumerate(islice(cycle(known), count), start=1)
    ]


def _p50(values: Sequence[float]) -> float:
    return statistics.median(values)


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]
