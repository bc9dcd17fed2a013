"""Learned cadences: a worked rhythm, quantiles against numpy, faults not learned, habits that are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.venue.cadence import BUCKETS, CADENCE, LIMITS, MOVED_RATIO, beat, is_silent, pause, quantile_ns
from ringbuf.jit import kernel

MS = 1_000_000


def limits_of(
    memory: int = 256, quantile: float = 0.99, min_ms: int = 50, max_ms: int = 60_000
) -> np.ndarray:
    rows = np.zeros(1, LIMITS)
    rows["quantile"], rows["ratio"], rows["memory"] = quantile, 3.0, memory
    rows["min_ns"], rows["max_ns"] = min_ms * MS, max_ms * MS
    return rows


@kernel
def _beats(cadence: np.ndarray, times: np.ndarray, limits: np.ndarray) -> int:
    count = 0
    for index in range(len(times)):
        count += 1 if beat(cadence[0], times[index], limits[0]) else 0
    return count


@kernel
def _quantile(cadence: np.ndarray, quantile: float) -> int:
    return quantile_ns(cadence[0], quantile)


@kernel
def _silent(cadence: np.ndarray, now_ns: int) -> bool:
    return is_silent(cadence[0], now_ns)


@kernel
def _pause(cadence: np.ndarray) -> None:
    pause(cadence[0])


def learned(intervals_ms: list[float], limits: np.ndarray) -> tuple[np.ndarray, int, int]:
    """The cadence after these intervals, contracts counted, and the time of the last beat."""
    cadence = np.zeros(1, CADENCE)
    times = 1 + np.concatenate([[0], np.cumsum(np.array(intervals_ms) * MS)]).astype(np.int64)
    return cadence, _beats(cadence, times, limits), int(times[-1])


def test_a_rhythm_of_540_ms_is_stale_after_three_of_them() -> None:
    cadence, contracts, last_ns = learned([540.0] * 40, limits_of())
    assert contracts == cadence["contracts"][0] == 1
    assert 540 * MS <= cadence["typical_ns"][0] <= 540 * MS * 2 ** (1 / 8)
    limit_ns = int(cadence["limit_ns"][0])
    assert 3 * 540 * MS <= limit_ns <= 3 * 540 * MS * 2 ** (1 / 8)
    assert not _silent(cadence, last_ns + limit_ns)
    assert _silent(cadence, last_ns + limit_ns + 1)


def test_before_anything_is_learned_the_bound_holds_and_before_a_beat_all_is_silence() -> None:
    cadence, contracts, last_ns = learned([540.0] * 5, limits_of(max_ms=1_500))
    assert (contracts, int(cadence["limit_ns"][0])) == (0, 1_500 * MS)
    assert not _silent(cadence, last_ns + 1_500 * MS)
    assert _silent(np.zeros(1, CADENCE), 1)


@given(st.lists(st.floats(1.0, 200_000.0), min_size=1, max_size=400), st.floats(0.01, 1.0))
def test_quantiles_are_exact_to_a_bucket(intervals_ms: list[float], quantile: float) -> None:
    cadence, _, _ = learned(intervals_ms, limits_of(memory=10_000, max_ms=10**9))
    found_ms = _quantile(cadence, quantile) / MS
    steps = np.diff(1 + np.concatenate([[0], np.cumsum(np.array(intervals_ms) * MS)]).astype(np.int64)) / MS
    true_ms = np.sort(steps)[max(int(np.ceil(quantile * len(steps))) - 1, 0)]
    assert true_ms * 0.999 <= found_ms <= true_ms * 2 ** (1 / 8) * 1.001


@pytest.mark.parametrize(("min_ms", "max_ms", "limit_ms"), [(5_000, 60_000, 5_000), (50, 700, 700)])
def test_limits_stay_between_their_bounds(min_ms: int, max_ms: int, limit_ms: int) -> None:
    cadence, _, _ = learned([300.0] * 40, limits_of(min_ms=min_ms, max_ms=max_ms))
    assert cadence["limit_ns"][0] == limit_ms * MS


def test_an_outage_now_and_then_is_not_learned() -> None:
    steady, _, _ = learned([100.0] * 200, limits_of(memory=32))
    faulty, contracts, _ = learned(([100.0] * 19 + [3_000.0]) * 10, limits_of(memory=32))
    assert faulty["limit_ns"] == steady["limit_ns"]
    assert contracts == 1


def test_a_new_habit_is_learned_and_is_another_contract() -> None:
    cadence, contracts, _ = learned([540.0] * 50 + [5_400.0] * 60, limits_of(memory=32))
    assert contracts == cadence["contracts"][0] == 2
    assert 5_400 * MS <= cadence["typical_ns"][0] <= 5_400 * MS * 1.1
    assert cadence["contract_typical_ns"][0] == cadence["typical_ns"][0]


def test_a_small_change_is_the_same_contract() -> None:
    assert learned([500.0] * 50 + [500.0 * MOVED_RATIO * 0.8] * 90, limits_of(memory=32))[1] == 1


def test_the_silence_between_two_connections_is_nobodys() -> None:
    cadence, _, last_ns = learned([100.0] * 40, limits_of())
    before = cadence["counts"].copy()
    _pause(cadence)
    assert _silent(cadence, last_ns)
    _beats(cadence, np.array([last_ns + 10**12]), limits_of())
    assert (cadence["counts"] == before).all()
    assert 300 * MS <= cadence["limit_ns"][0] <= 340 * MS  # what was learned holds for the next connection
    assert not _silent(cadence, last_ns + 10**12 + 300 * MS)


@given(st.lists(st.integers(0, 10**15), min_size=2, max_size=200))
def test_nothing_overflows_and_the_total_is_the_sum_of_the_counts(steps_ns: list[int]) -> None:
    cadence = np.zeros(1, CADENCE)
    _beats(cadence, 1 + np.cumsum(np.array(steps_ns, np.int64)), limits_of(memory=32))
    assert cadence["counts"].sum() == cadence["total"][0] < 2 * 32
    assert cadence["counts"].shape == (1, BUCKETS)
    assert (cadence["counts"] >= 0).all()
    assert 0 <= cadence["limit_ns"][0] <= 60_000 * MS
