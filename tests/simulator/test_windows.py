"""The limits are exact, whatever the times and costs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.windows import SECOND_US, FixedWindow, Meter, SlidingLog
from gateway.types import Limit, Unit, Window, parse_limits

ARRIVALS = st.lists(
    st.tuples(st.integers(0, 3 * SECOND_US), st.integers(1, 12)), min_size=1, max_size=60
)
TOKENS_PER_SECOND = Limit(Unit.TOKENS, Window.SECOND, 20)


def _admitted(counted: SlidingLog | FixedWindow, arrivals: list[tuple[int, int]]) -> list[
    tuple[int, int]
]:  # fmt: skip
    passed = []
    for at_us, cost in sorted(arrivals):
        if counted.wait_us(at_us, cost) == 0:
            counted.add(at_us, cost)
            passed.append((at_us, cost))
    return passed


@given(ARRIVALS)
def test_no_window_ever_holds_more_than_the_limit(arrivals: list[tuple[int, int]]) -> None:
    """Every interval of a second's length that begins with an admission stays within 20."""
    passed = _admitted(SlidingLog(TOKENS_PER_SECOND), arrivals)
    for start_us, _ in passed:
        inside = [cost for at_us, cost in passed if start_us <= at_us < start_us + SECOND_US]
        assert sum(inside) <= TOKENS_PER_SECOND.amount


@given(ARRIVALS, st.integers(1, 20))
def test_waiting_as_told_admits_and_a_microsecond_less_does_not(
    arrivals: list[tuple[int, int]], cost: int
) -> None:
    """The wait a refusal names is the shortest that helps."""
    log = SlidingLog(TOKENS_PER_SECOND)
    _admitted(log, arrivals)
    now_us = max(at_us for at_us, _ in arrivals)
    wait_us = log.wait_us(now_us, cost)
    assert wait_us is not None
    if wait_us:
        assert log.wait_us(now_us + wait_us - 1, cost) == 1
        assert log.wait_us(now_us + wait_us, cost) == 0


@given(ARRIVALS, st.integers(0, 10**15))
def test_a_fixed_window_counts_by_the_clock(arrivals: list[tuple[int, int]], epoch_us: int) -> None:
    """Between two full seconds of Unix time no more than the limit is let through."""
    fixed = FixedWindow(TOKENS_PER_SECOND, epoch_us=epoch_us)
    sums: dict[int, int] = {}
    for at_us, cost in _admitted(fixed, arrivals):
        second = (epoch_us + at_us) // SECOND_US
        sums[second] = sums.get(second, 0) + cost
    assert all(used <= TOKENS_PER_SECOND.amount for used in sums.values())


def test_a_cost_above_the_limit_can_never_pass() -> None:
    """No wait is named where none would help; a limit of nothing admits nothing."""
    assert SlidingLog(TOKENS_PER_SECOND).wait_us(0, 21) is None
    assert SlidingLog(Limit(Unit.REQUESTS, Window.DAY, 0)).wait_us(0, 1) is None


def test_a_refused_request_counts_nowhere() -> None:
    """When the tokens refuse, the requests are not used up either."""
    meter = Meter(parse_limits({"rpm": 5, "tpm": 10}))
    refusal = meter.refusal(0, 11)
    assert refusal is not None
    assert refusal.standing.limit.name == "tpm"
    assert [one.used for one in meter.standings(0)] == [0, 0]


def test_the_longest_wait_is_the_one_that_counts() -> None:
    """Of several full limits the refusal names the one that opens last."""
    meter = Meter(parse_limits({"rps": 1, "rpm": 1}))
    meter.count(0, 1)
    refusal = meter.refusal(10, 1)
    assert refusal is not None
    assert refusal.wait_us == 60 * SECOND_US - 10


@given(ARRIVALS)
def test_the_log_is_free_again_when_it_says(arrivals: list[tuple[int, int]]) -> None:
    """At the reset it names nothing is used any more."""
    log = SlidingLog(TOKENS_PER_SECOND)
    _admitted(log, arrivals)
    now_us = max(at_us for at_us, _ in arrivals)
    assert log.standing(now_us + log.standing(now_us).reset_us).used == 0
