"""From a prompt to a plan: which offers are tried, in which order, and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from catalog.candidates import Pool, why_unable
from catalog.complexity import Needs, Task, read_needs
from catalog.recommend import Ranking, Recommendation, with_fallbacks
from catalog.snapshot import Snapshot, asnapshot
from catalog.standing import recommend_now
from gateway.estimate import estimate_prompt_tokens
from gateway.types import Message
from playground.measured import measured
from playground.models import Run


class CannotPlan(Exception):
    """No offer can answer this. The message names cause and remedy."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What planning must know of a prompt."""

    prompt: str
    system: str = ""
    task: Task | None = None
    max_tokens: int | None = None
    conversation_id: int | None = None
    context_before: int = 2**31 - 1


def why_nobody(needs: Needs, pool: Pool) -> str:
    """Why nobody of the pool is ranked."""
    if not pool:
        return "No model can be called yet. Add a provider key, or switch the simulator on."
    reasons = pool.reasons_against(needs).most_common()
    why = "; ".join(f"{count}: {reason}" for reason, count in reasons)
    return (
        f"None of the {len(pool)} offers has room for about {needs.tokens} tokens ({why}). "
        "Shorten the prompt, or ask for a shorter answer."
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """The offers to try, in order, and why the first one is first."""

    needs: Needs
    offer_ids: list[int]
    pick: dict[str, object]
    is_pinned: bool


async def rank(ask: Ask) -> Ranking:
    pool = (await asnapshot()).pool
    turns = await history(ask.conversation_id, ask.context_before)
    needs = read_needs(
        ask.prompt,
        system=ask.system,
        history_tokens=estimate_prompt_tokens(turns),
        task=ask.task,
        max_tokens=ask.max_tokens,
    )
    speeds = await measured()
    ranking = await recommend_now(needs, pool, speeds)
    if not ranking and turns:
        # Earlier turns that do not fit are left out when the call is made.
        needs = read_needs(ask.prompt, system=ask.system, task=ask.task, max_tokens=ask.max_tokens)
        ranking = await recommend_now(needs, pool, speeds)
    return ranking


async def make_plan(ask: Ask, offer_id: int | None, *, may_fall_back: bool) -> Plan:
    """Raises CannotPlan where nobody can answer, or the chosen one cannot."""
    ranking = await rank(ask)
    known = await asnapshot()
    if not ranking:
        raise CannotPlan(why_nobody(ranking.needs, known.pool))
    first = ranking[0] if offer_id is None else _chosen(ranking, offer_id, known)
    order = with_fallbacks(ranking, first.candidate.offer_id)
    return Plan(
        needs=ranking.needs,
        offer_ids=[one.candidate.offer_id for one in (order if may_fall_back else order[:1])],
        pick=describe(first, best=ranking[0]),
        is_pinned=offer_id is not None,
    )


def _chosen(ranking: Ranking, offer_id: int, known: Snapshot) -> Recommendation:
    place = ranking.place_of(offer_id)
    if place is None:
        chosen = known.by_offer.get(offer_id)
        why = why_unable(chosen, ranking.needs) if chosen else "it can no longer be called"
        raise CannotPlan(
            f"The model you chose cannot answer this: {why}. Choose another, or let FreeLLM choose."
        )
    return ranking[place]


def describe(one: Recommendation, best: Recommendation) -> dict[str, object]:
    """What a run keeps of a recommendation, so that the page can tell it later as it was."""
    return {
        "model": one.candidate.model_name,
        "model_slug": one.candidate.model_slug,
        "provider": one.candidate.provider_name,
        "score": one.score,
        "parts": asdict(one.parts),
        "reasons": [asdict(reason) for reason in one.reasons],
        "is_best": one.candidate.offer_id == best.candidate.offer_id,
        "best": best.candidate.label,
    }


async def history(conversation_id: int | None, context_before: int) -> list[Message]:
    """Earlier turns, oldest first, as a model is told them."""
    if conversation_id is None:
        return []
    turns: list[Message] = []
    async for run in Run.objects.spoken_before(conversation_id, context_before):
        turns += [Message("user", run.prompt), Message("assistant", run.answer)]
    return turns
