"""The lag is the one the maker was given, and a gap explains nothing."""

import numpy as np
import pytest

from mmpipe.alpha import follow_lag
from mmpipe.alpha.follow_lag import CELL_MS, LAG

MS = 1_000_000


def followed(lag_ms: int, seconds: int, seed: int, gap_every_s: int = 0) -> np.ndarray:
    """A lead that moves every 50 ms or so, and a maker that repeats it after `lag_ms`, with noise."""
    rng, lag = np.random.default_rng(seed), np.zeros(1, LAG)
    times = np.cumsum(rng.integers(20, 80, seconds * 20))
    steps = rng.normal(0.0, 1.0, len(times))
    noise_times = np.cumsum(rng.integers(100, 400, seconds * 4))
    events = sorted(
        [(int(t), step, 0.0) for t, step in zip(times, steps, strict=True)]
        + [(int(t) + lag_ms, 0.0, 0.8 * step) for t, step in zip(times, steps, strict=True)]
        + [(int(t), 0.0, rng.normal(0.0, 0.5)) for t in noise_times]
    )
    lead = maker = 100.0
    for ts_ms, lead_bps, maker_bps in events:
        lead *= 1.0 + lead_bps * 1e-4
        maker *= 1.0 + maker_bps * 1e-4
        if gap_every_s and ts_ms // 1000 % gap_every_s == 0:
            lag["cell"] = 0
            continue
        follow_lag.observe(lag[0], lead, maker, ts_ms * MS + 1, 200.0)
    return lag


@pytest.mark.parametrize("lag_ms", [60, 150, 300, 600])
def test_it_finds_how_long_the_maker_takes(lag_ms: int) -> None:
    assert followed(lag_ms, 120, seed=lag_ms)["lag_ms"][0] == pytest.approx(lag_ms, abs=1.5 * CELL_MS)


def test_gaps_do_not_mislead_it() -> None:
    assert followed(150, 120, seed=4, gap_every_s=5)["lag_ms"][0] == pytest.approx(150, abs=1.5 * CELL_MS)


def test_without_evidence_it_is_the_usual_one() -> None:
    lag = np.zeros(1, LAG)
    for step in range(1, 2_000):
        follow_lag.observe(lag[0], 100.0 + step * 1e-3, 100.0, step * 30 * MS, 200.0)
    assert lag["lag_ms"][0] == 200.0
    assert lag["moves"][0] == 0
