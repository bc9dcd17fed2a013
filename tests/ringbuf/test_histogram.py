"""The histogram: known to one percent from 1 ns to 100 s, summed and subtracted exactly."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringbuf import Histogram, Segment
from ringbuf.histogram import (
    BUCKETS,
    VALUE_MAX_NS,
    bucket_of,
    bucket_value_ns,
    difference,
    merge,
    quantile,
    record,
)
from ringbuf.layout import KIND_COUNTERS
from tests.oracles.histogram import exact_quantile
from tests.ringbuf.memory import RECORD

SECONDS_100_NS = 100_000_000_000
durations = st.integers(0, SECONDS_100_NS) | st.integers(0, 10_000)


def counted(values: list[int]) -> np.ndarray:
    counts = np.zeros(BUCKETS, np.int64)
    for value in values:
        record(counts, value)
    return counts


def test_a_worked_bucket() -> None:
    # 1000 ns lies in [512, 1024), split into 64 buckets of 8 ns: 1000 >> 3 = 125, third power beyond 128.
    assert bucket_of(1000) == 3 * 64 + 125
    assert bucket_value_ns(3 * 64 + 125) == 1003.5
    assert [bucket_of(value) for value in (0, 1, 127, 128, 129, 130)] == [0, 1, 127, 128, 128, 129]


@given(durations)
def test_a_value_is_known_to_one_percent(value: int) -> None:
    assert abs(bucket_value_ns(bucket_of(value)) - value) <= 0.01 * value


@given(durations, durations)
def test_buckets_rise_with_the_value(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert 0 <= bucket_of(low) <= bucket_of(high) < BUCKETS


def test_every_bucket_is_reached_and_holds_its_middle() -> None:
    assert [bucket_of(int(bucket_value_ns(bucket))) for bucket in range(BUCKETS)] == list(range(BUCKETS))


def test_what_is_out_of_range_counts_at_the_ends() -> None:
    counts = counted([-5, VALUE_MAX_NS, VALUE_MAX_NS + 1, 2**62])
    assert counts[0] == 1
    assert counts[BUCKETS - 1] == 3
    assert counts.sum() == 4


@given(st.lists(durations, min_size=1, max_size=60), st.floats(0, 1))
def test_quantiles_agree_with_the_sorted_values(values: list[int], q: float) -> None:
    exact = exact_quantile(values, q)
    assert quantile(counted(values), q) == pytest.approx(exact, rel=0.01, abs=1e-9)


@given(st.lists(durations, max_size=20), st.lists(durations, max_size=20))
def test_merging_counts_both_and_differences_undo_it(one: list[int], other: list[int]) -> None:
    both = merge([counted(one), counted(other)])
    assert both.tolist() == counted(one + other).tolist()
    assert difference(both, counted(one)).tolist() == counted(other).tolist()


def test_nothing_counted_has_no_quantile() -> None:
    assert math.isnan(quantile(np.zeros(BUCKETS, np.int64), 0.5))


@pytest.mark.parametrize("q", [-0.1, 1.1, math.nan])
def test_a_quantile_outside_zero_and_one_is_refused(q: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantile(np.zeros(BUCKETS, np.int64), q)


def test_it_lives_in_a_segment_of_counters() -> None:
    segment = Segment.local(Histogram.DTYPE, Histogram.BUCKETS, KIND_COUNTERS)
    histogram = Histogram(segment)
    histogram.record(50)
    before = histogram.snapshot()
    histogram.record(60)
    assert quantile(difference(Histogram(segment).snapshot(), before), 1.0) == 60.0
    with pytest.raises(ValueError, match="2048 counters"):
        Histogram(Segment.local(Histogram.DTYPE, 8, KIND_COUNTERS))
    with pytest.raises(ValueError, match="2048 counters"):
        Histogram(Segment.local(RECORD, 8))
