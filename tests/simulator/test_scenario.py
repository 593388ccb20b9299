"""Scenarios are read strictly: nonsense is named, never guessed at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator import (
    Fault,
    Scenario,
    ScenarioError,
    SimModel,
    SimProvider,
    default_scenario,
)
from gateway.simulator.parsing import read_scenario
from gateway.simulator.scenario import DEFAULT_PATH
from gateway.simulator.wires import WIRES

GOOD = """
[[providers]]
slug = "sim-one"
name = "Simulator One"
{provider}
[[providers.models]]
id = "wren-8b"
{model}
{rest}
"""


def _text(provider: str = "", model: str = "", rest: str = "") -> str:
    return GOOD.format(provider=provider, model=model, rest=rest)


def test_the_bundled_scenarios_read() -> None:
    """Both files that ship with the simulator make sense."""
    slugs = [one.slug for one in default_scenario().providers]
    assert slugs == ["sim-swift", "sim-atlas", "sim-forge", "sim-lyra", "sim-tide"]
    dialects = Scenario.load(DEFAULT_PATH.with_name("dialects.toml"))
    assert {one.dialect for one in dialects.providers} == set(WIRES)


def test_the_default_providers_cannot_be_taken_for_real_ones() -> None:
    """Their names say Simulator, they need no key and speak what the engine speaks first."""
    for provider in default_scenario().providers:
        assert provider.name.startswith("Simulator ")
        assert provider.slug.startswith("sim-")
        assert (provider.auth, provider.dialect) == ("none", "openai")


def test_one_model_is_offered_by_several_default_providers() -> None:
    """The same name at two providers describes the same weights."""
    by_name: dict[str, set[tuple[object, ...]]] = {}
    offers: dict[str, int] = {}
    for provider in default_scenario().providers:
        for model in provider.models:
            weights = (model.family, model.params_b, model.active_params_b, model.modality)
            by_name.setdefault(model.name, set()).add(weights)
            offers[model.name] = offers.get(model.name, 0) + 1
    assert all(len(weights) == 1 for weights in by_name.values())
    assert max(offers.values()) >= 3


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("seed = 1", "providers"),
        ("providers = 3", "providers must be a list"),
        ("x = [", "not TOML"),
        (_text(provider="colour = 1"), "providers[0].colour"),
        (_text(provider='dialect = "smoke"'), "providers[0].dialect"),
        (_text(provider='style = "gemini"'), "providers[0].style"),
        (_text(provider="jitter = 2"), "providers[0].jitter"),
        (_text(provider="first_token_s = nan"), "providers[0].first_token_s"),
        (_text(provider="tokens_per_s = 0"), "providers[0].tokens_per_s"),
        (_text(provider="comments = 1"), "providers[0].comments"),
        (_text(provider="keys = [1]"), "providers[0].keys"),
        (_text(provider="limits = { rpx = 1 }"), "providers[0].limits.rpx"),
        (_text(provider="limits = { rpm = -1 }"), "providers[0].limits.rpm"),
        (_text(provider="limits = { rpm = true }"), "providers[0].limits.rpm"),
        (_text(model="params_b = 'big'"), "providers[0].models[0].params_b"),
        (_text(model="active_params_b = 3.0"), "providers[0].models[0].active_params_b"),
        (_text(model='specialties = ["magic"]'), "providers[0].models[0].specialties"),
        (_text(rest='[[providers.models]]\nid = "wren-8b"'), "appears 2 times"),
        (_text(rest='[[providers.faults]]\nkind = "fire"'), "providers[0].faults[0].kind"),
        (_text(rest='[[providers.faults]]\nkind = "cut"\nmodel = "x"'), "faults[0].model"),
        (
            _text(rest='[[providers.faults]]\nkind = "cut"\nfrom_s = 5\nuntil_s = 5'),
            "faults[0].until_s",
        ),
        (_text(rest='[[providers.faults]]\nkind = "cut"\non = "models"'), "faults[0].kind"),
        ('[[providers]]\nname = "x"', "providers[0].slug is missing"),
        ('[[providers]]\nslug = "A B"\nname = "x"', "providers[0].slug"),
        ('[[providers]]\nslug = "_sim"\nname = "x"', "providers[0].slug"),
        ('[[providers]]\nslug = "a"\nname = "x"', "providers[0].models"),
    ],
)
def test_nonsense_is_refused_by_name(text: str, named: str) -> None:
    """The error says which field is wrong."""
    with pytest.raises(ScenarioError) as caught:
        Scenario.parse(text)
    assert named in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A missing file and one that is not text both name the path."""
    binary = tmp_path / "noise.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "missing.toml", binary):
        with pytest.raises(ScenarioError, match=path.name):
            Scenario.load(path)


_JUNK = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.lists(st.text(max_size=3) | st.integers(), max_size=3)
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
)
_PLACES = [
    (table, name)
    for table, kind in (("scenario", Scenario), ("provider", SimProvider), ("model", SimModel),
                        ("fault", Fault))
    for name in kind.__dataclass_fields__
]  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(_PLACES), _JUNK), min_size=1, max_size=3))
def test_any_value_is_read_or_refused(junk: list[tuple[tuple[str, str], Any]]) -> None:
    """Whatever stands in any field, the only error is the one that explains itself."""
    fault: dict[str, Any] = {"kind": "error"}
    model: dict[str, Any] = {"id": "wren-8b"}
    provider: dict[str, Any] = {"slug": "one", "name": "One", "models": [model], "faults": [fault]}
    scenario: dict[str, Any] = {"providers": [provider]}
    tables = {"scenario": scenario, "provider": provider, "model": model, "fault": fault}
    for (table, name), value in junk:
        tables[table][name] = value
    try:
        read = read_scenario(scenario)
    except ScenarioError as error:
        assert str(error)  # noqa: PT017 - either outcome is right, a crash is not
    else:
        assert read.providers
