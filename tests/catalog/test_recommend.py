"""Recommendation: able first, fitting, with quota left; the same for the same; traps included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from catalog import recommend as recommending
from catalog.candidates import Candidate, Pool, Standing, why_unable
from catalog.complexity import Complexity, Needs, Task
from catalog.recommend import Ranking, Recommendation, picks, with_fallbacks
from gateway.dialects import Ability, unable
from gateway.policy import RankingPolicy
from gateway.quirks import Quirks
from gateway.types import Limit, Unit, Window

SKILLS = ("code", "reasoning", "math", "translation", "multilingual")


def make_candidate(offer_id: int = 1, **fields: object) -> Candidate:
    defaults: dict[str, object] = {
        "provider_slug": f"p{offer_id}",
        "provider_name": f"Provider {offer_id}",
        "model_slug": f"m{offer_id}",
        "model_name": f"Model {offer_id}",
        "external_id": f"m-{offer_id}",
        "params_b": 8.0,
        "context_tokens": 32_768,
    }
    return Candidate(offer_id=offer_id, **{**defaults, **fields})  # type: ignore[arg-type]  # checked by the dataclass' users


def make_needs(**fields: object) -> Needs:
    defaults: dict[str, object] = {
        "task": Task.QUESTION,
        "complexity": Complexity.SIMPLE,
        "prompt_tokens": 50,
        "answer_tokens": 200,
        "reserved_tokens": 200,
    }
    return Needs(**{**defaults, **fields})  # type: ignore[arg-type]  # as above


def recommend(
    needs: Needs, candidates: Sequence[Candidate], standings: Mapping[int, Standing]
) -> Ranking:
    return recommending.recommend(needs, Pool(candidates), standings)


def order(ranked: Iterable[Recommendation]) -> list[int]:
    return [one.candidate.offer_id for one in ranked]


candidates = st.builds(
    make_candidate,
    st.integers(1, 10_000),
    model_slug=st.sampled_from([f"m{n}" for n in range(8)]),
    params_b=st.one_of(st.none(), st.floats(0.1, 1_000)),
    active_params_b=st.one_of(st.none(), st.floats(0.1, 50)),
    modality=st.sampled_from(["chat", "chat", "vision", "embedding", "stt"]),
    lacks=st.frozensets(st.sampled_from(Ability), max_size=2),
    specialties=st.frozensets(st.sampled_from(SKILLS)),
    context_tokens=st.one_of(st.none(), st.sampled_from([512, 8_192, 131_072])),
    limits=st.sampled_from([(), (Limit(Unit.TOKENS, Window.MINUTE, 6_000),)]),
)
pools = st.lists(candidates, max_size=12, unique_by=lambda one: one.offer_id)
all_needs = st.builds(
    make_needs,
    task=st.sampled_from(Task),
    complexity=st.sampled_from(Complexity),
    prompt_tokens=st.integers(0, 200_000),
    reserved_tokens=st.integers(1, 20_000),
    skills=st.lists(st.sampled_from(SKILLS), max_size=2, unique=True).map(tuple),
    abilities=st.frozensets(st.sampled_from(Ability), max_size=2),
)
standings = st.builds(
    Standing,
    left=st.one_of(st.none(), st.floats(0, 1)),
    is_refusing=st.booleans(),
    is_probing=st.booleans(),
    first_token_s=st.one_of(st.none(), st.floats(0.01, 60)),
    tokens_per_s=st.one_of(st.none(), st.floats(0.1, 3_000)),
)


@given(pools, all_needs)
def test_only_and_all_that_can_do_it_are_ranked(pool: list[Candidate], needs: Needs) -> None:
    """Nobody unable is recommended, and nobody able is forgotten."""
    able = {one.offer_id for one in pool if why_unable(one, needs) is None}
    assert set(order(recommend(needs, pool, {}))) == able


@given(pools, all_needs, st.data())
def test_scores_and_parts_are_shares_of_a_hundred(
    pool: list[Candidate], needs: Needs, data: st.DataObject
) -> None:
    """Every figure lies between 0 and 100, and every pick has reasons."""
    known = {one.offer_id: data.draw(standings) for one in pool}
    for one in recommend(needs, pool, known):
        parts = (one.parts.fit, one.parts.speed, one.parts.left, one.parts.health)
        assert all(0 <= figure <= 100 for figure in (one.score, *parts))
        assert one.reasons
        assert all(reason.text for reason in one.reasons)


@given(pools, all_needs, st.data())
def test_the_order_is_that_of_the_figures_shown(
    pool: list[Candidate], needs: Needs, data: st.DataObject
) -> None:
    """Who refuses goes last, then score, then fit, then the names decide."""
    known = data.draw(st.dictionaries(st.sampled_from(range(1, 10_000)), standings, max_size=3))
    known |= {one.offer_id: data.draw(standings) for one in pool[::2]}
    ranked = list(recommend(needs, pool, known))
    assert ranked == sorted(
        ranked,
        key=lambda one: (
            one.is_refusing, -one.score, -one.parts.fit, one.candidate.model_slug,
            one.candidate.provider_slug, one.candidate.offer_id,
        ),
    )  # fmt: skip


@given(pools, all_needs)
def test_picks_can_leave_a_model_out(pool: list[Candidate], needs: Needs) -> None:
    """A model that has answered already is not offered again."""
    ranked = recommend(needs, pool, {})
    assume(ranked)
    name = ranked[0].candidate.model_name
    assert all(one.candidate.model_name != name for one in picks(ranked, without_model=name))


@given(pools, all_needs, st.data())
def test_the_order_of_the_question_does_not_matter(
    pool: list[Candidate], needs: Needs, data: st.DataObject
) -> None:
    """The same candidates in another order give the same ranking."""
    known = {one.offer_id: data.draw(standings) for one in pool}
    shuffled = data.draw(st.permutations(pool))
    assert order(recommend(needs, pool, known)) == order(recommend(needs, shuffled, known))


@given(pools, all_needs, st.data(), st.floats(0, 1))
def test_more_quota_left_never_ranks_lower(
    pool: list[Candidate], needs: Needs, data: st.DataObject, more: float
) -> None:
    """Filling up one offer's quota moves it up or leaves it where it was."""
    ranked = recommend(needs, pool, {})
    assume(ranked)
    chosen = data.draw(st.sampled_from(ranked.candidates)).offer_id
    known = {one.offer_id: data.draw(standings) for one in pool}
    low = data.draw(st.floats(0, 1))
    known[chosen] = replace(known[chosen], left=low)
    before = order(recommend(needs, pool, known)).index(chosen)
    known[chosen] = replace(known[chosen], left=min(1.0, low + more))
    assert order(recommend(needs, pool, known)).index(chosen) <= before


@given(pools, all_needs)
def test_picks_are_different_models_where_there_is_choice(
    pool: list[Candidate], needs: Needs
) -> None:
    """One model is shown twice only when there are fewer models than places."""
    ranked = recommend(needs, pool, {})
    shown = picks(ranked)
    models = {one.candidate.model_slug for one in ranked}
    assert len(shown) == min(3, len(ranked))
    assert len({one.candidate.model_slug for one in shown}) == min(3, len(models))


def test_a_code_task_widens_the_band_until_a_coder_is_inside() -> None:
    """With no coder of the right size, a smaller coder still goes before a general model."""
    needs = make_needs(task=Task.CODE, complexity=Complexity.HARD, skills=("code",))
    coder = make_candidate(1, params_b=7.0, specialties=frozenset({"code"}))
    general = make_candidate(2, params_b=70.0)
    assert order(recommend(needs, [general, coder], {})) == [1, 2]


def test_a_code_task_without_any_coder_is_still_answered() -> None:
    """The best general model is recommended rather than nobody."""
    needs = make_needs(task=Task.CODE, complexity=Complexity.HARD, skills=("code",))
    small, large = make_candidate(1, params_b=1.0), make_candidate(2, params_b=70.0)
    assert order(recommend(needs, [small, large], {})) == [2, 1]


def test_an_unknown_size_is_not_size_zero() -> None:
    """A model whose size nobody published goes before one that is known to be tiny."""
    needs = make_needs(complexity=Complexity.HARD)
    unknown, tiny = make_candidate(1, params_b=None), make_candidate(2, params_b=0.5)
    assert recommend(needs, [unknown, tiny], {})[0].candidate is unknown
    assert recommend(needs, [unknown], {})[0].parts.fit > 0


def test_an_unknown_context_is_not_context_zero() -> None:
    """An offer whose context is unknown stays, with a warning, for a long prompt."""
    needs = make_needs(prompt_tokens=50_000)
    ranked = recommend(needs, [make_candidate(context_tokens=None)], {})
    assert any("not published" in reason.text for reason in ranked[0].reasons)


def test_a_mixture_is_able_as_its_total_and_fast_as_its_active_part() -> None:
    """Of two models of one total size the one with fewer active parameters is faster, as able."""
    needs = make_needs(complexity=Complexity.HARD)
    dense = make_candidate(1, params_b=120.0)
    mixture = make_candidate(2, params_b=120.0, active_params_b=5.0)
    first, second = recommend(needs, [dense, mixture], {})
    assert first.candidate is mixture
    assert first.parts.fit == second.parts.fit
    assert first.predicted_s < second.predicted_s


@pytest.mark.parametrize(
    "limit",
    [Limit(Unit.TOKENS, Window.MINUTE, 6_000), Limit(Unit.REQUESTS, Window.DAY, 0)],
)
def test_a_limit_that_can_never_pass_the_call_rules_an_offer_out(limit: Limit) -> None:
    """A prompt larger than a minute's tokens, or a quota of nothing, cannot be answered there."""
    needs = make_needs(prompt_tokens=8_000)
    assert not recommend(needs, [make_candidate(limits=(limit,))], {})


@pytest.mark.parametrize(
    ("dialect", "quirks", "ability", "why"),
    [
        ("openai", Quirks(refuses=frozenset({"tools"})), Ability.TOOLS, "it takes no tools"),
        ("openai", Quirks(refuses=frozenset({"images"})), Ability.IMAGES, "does not read images"),
        ("openai", Quirks(drops=frozenset({"json_schema"})), Ability.SCHEMA, "to a JSON schema"),
        ("openai", Quirks(drops=frozenset({"response_format"})), Ability.SCHEMA, "JSON schema"),
        ("openai", Quirks(drops=frozenset({"response_format"})), Ability.JSON, "held to JSON"),
        ("nlpcloud", Quirks(), Ability.TOOLS, "it takes no tools"),
        ("nlpcloud", Quirks(), Ability.JSON, "held to JSON"),
    ],
)
def test_who_cannot_do_what_is_needed_is_left_out(
    dialect: str, quirks: Quirks, ability: Ability, why: str
) -> None:
    """By what its provider refuses, or what its wire format has no words for; and it is said."""
    lacking = make_candidate(1, modality="vision", lacks=unable(dialect, quirks))
    able = make_candidate(2, modality="vision")
    needs, pool = make_needs(abilities=frozenset({ability})), [lacking, able]
    assert order(recommend(needs, pool, {})) == [2]
    assert order(recommend(make_needs(), pool, {})) == [1, 2]
    (reason,) = Pool(pool).reasons_against(needs)
    assert why in reason


def test_who_refuses_now_goes_last() -> None:
    """An open breaker or an empty quota is worse than any score."""
    pool = [make_candidate(1), make_candidate(2), make_candidate(3, params_b=0.5)]
    known = {1: Standing(is_refusing=True), 2: Standing(left=0.0, left_words="used up")}
    assert order(recommend(make_needs(), pool, known))[0] == 3


def test_reasons_are_sentences_about_this_prompt() -> None:
    """Room, skill, speed and quota are told in words; a guess is called a guess."""
    needs = make_needs(task=Task.CODE, complexity=Complexity.MEDIUM, skills=("code",),
                       prompt_tokens=6_000)  # fmt: skip
    coder = make_candidate(params_b=32.0, specialties=frozenset({"code"}))
    known = {1: Standing(left=0.93, left_words="93 % of today's quota left")}
    texts = [reason.text for reason in recommend(needs, [coder], known)[0].reasons]
    assert any(text.startswith("coder model; 32B, right size") for text in texts)
    assert any(text == "fits 6\u202f200 tokens" for text in texts)
    assert any("guessed from its size" in text for text in texts)
    assert "93 % of today's quota left" in texts


def test_fallbacks_begin_with_the_same_model_elsewhere() -> None:
    """Who stands in first is another provider of the chosen model, then the next best."""
    pool = [
        make_candidate(1, model_slug="wren"),
        make_candidate(2, model_slug="heron", params_b=9.0),
        make_candidate(3, model_slug="wren", params_b=8.0),
    ]
    ranked = recommend(make_needs(), pool, {2: Standing(left=1.0)})
    assert order(with_fallbacks(ranked, 1)) == [1, 3, 2]
    assert len(with_fallbacks(ranked, 1, limit=2)) == 2


def test_the_weights_are_the_policy_s() -> None:
    """Where nothing but what is left counts, whoever has most left comes first."""
    pool = [make_candidate(offer_id=1, params_b=20), make_candidate(offer_id=2, params_b=1)]
    standings = {1: Standing(left=0.2), 2: Standing(left=0.9)}
    only_left = RankingPolicy(medium_fit=0, medium_speed=0, medium_left=7, medium_health=0)
    needs = make_needs(complexity=Complexity.MEDIUM)
    first = recommending.recommend(needs, Pool(pool), standings)[0]
    tuned = recommending.recommend(needs, Pool(pool), standings, only_left)[0]
    assert (first.candidate.offer_id, tuned.candidate.offer_id) == (1, 2)
    assert tuned.score == 90
