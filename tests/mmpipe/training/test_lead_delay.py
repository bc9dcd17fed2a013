"""Delays after moves of a lead whose times are known."""

import numpy as np
import pytest

from mmpipe.training.lead_delay import LeadTrace, lead_delay, lead_moves

MS = 1_000_000
STEP_MS = 20


def trace(moves: list[int], signal_ms: int, follow_ms: int, rows: int = 20_000) -> LeadTrace:
    """A lead that jumps 5 bps at some rows, a signal so much later, a divergence until the maker follows."""
    rng = np.random.default_rng(1)
    log_mid = np.cumsum(rng.choice([-0.02, 0.02], rows))  # never four sigmas in a window by itself
    divergence, change = rng.normal(size=rows) * 0.05, np.zeros(rows)
    for row in moves:
        log_mid[row:] += 5.0
        divergence[row + 3 : row + follow_ms // STEP_MS] += 5.0
        change[row + signal_ms // STEP_MS] = 5.0
    return LeadTrace(np.arange(rows) * STEP_MS * MS, 100.0 * np.exp(log_mid * 1e-4), divergence, change)


def test_moves_are_found_where_they_are() -> None:
    moves = list(range(2_000, 19_000, 1_000))
    made = trace(moves, 20, 400)
    assert lead_moves(made.ts_ns, made.lead_mid_px) == [(row, 1) for row in moves]


def test_the_signal_is_earlier_by_what_it_is() -> None:
    found = lead_delay(trace(list(range(2_000, 19_000, 1_000)), 20, 400))
    assert found["n"] == 17
    assert found["signal_heard"] == found["threshold_heard"] == 1.0
    # Divergence shows three rows after the move, the signal one.
    assert found["earlier_ms"] == pytest.approx(40.0, abs=2 * STEP_MS)


def test_a_signal_that_is_silent_is_not_heard_and_few_moves_say_nothing() -> None:
    made = trace(list(range(2_000, 19_000, 1_000)), 20, 400)
    silent = LeadTrace(made.ts_ns, made.lead_mid_px, made.divergence_bps, np.zeros(len(made.ts_ns)))
    assert lead_delay(silent)["signal_heard"] == 0.0
    assert lead_delay(silent)["earlier_ms"] is None
    assert "moves of the lead" in lead_delay(trace([5_000], 20, 400))["why_not"]
