"""Every tunable is typed, documented and bounded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.policy import BreakerPolicy, LimiterPolicy, Policy, StaticPolicy, tunables


def test_every_tunable_explains_itself() -> None:
    """Unit, bounds around the default, one line of help."""
    found = tunables()
    assert len(found) > 25
    for name, one in found.items():
        assert name == f"{one.group}.{one.name}"
        assert one.minimum <= one.default <= one.maximum
        assert one.unit
        assert one.help.endswith(".")


@pytest.mark.parametrize("value", [-1, 10**9, float("nan"), float("inf"), "5", None])
def test_nothing_is_out_of_bounds(value: object) -> None:
    """The error names the field and its bounds."""
    with pytest.raises(ValueError, match="max_wait_s must lie between 0 and 300 s"):
        LimiterPolicy(max_wait_s=value)  # type: ignore[arg-type]  # that is the point


def test_a_policy_is_replaced_as_a_whole() -> None:
    """Frozen values: what a call has read does not change under it."""
    source = StaticPolicy()
    changed = replace(source.current(), breaker=BreakerPolicy(probes=3))
    assert source.current() == Policy()
    assert changed.breaker.probes == 3
