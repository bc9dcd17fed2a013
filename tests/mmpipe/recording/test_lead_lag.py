"""The lead of one market over another is found where it was put, and where it was measured before."""

import os
from pathlib import Path

import numpy as np
import pytest

from mmpipe.enums import Venue
from mmpipe.errors import DataError
from mmpipe.recording.lead_lag import lead_lag
from mmpipe.recording.npz import load
from mmpipe.recording.statistics import Touches, touches_of

DATA = Path(os.environ.get("MMPIPE_DATA", "../shared/data"))
needs_data = pytest.mark.skipif(
    not (DATA / "norm").is_dir(), reason=f"no recorded market data at {DATA} (set MMPIPE_DATA)"
)
MS = 1_000_000


def walk(shift_ms: int, seed: int = 5) -> Touches:
    chance = np.random.default_rng(seed)
    mids = 1_000.0 + np.cumsum(chance.integers(-1, 2, 4_000)) * 0.1
    times = 1_700_000_000_000 * MS + (np.arange(4_000) * 10 + shift_ms) * MS
    return Touches("bbo", times, mids - 0.05, mids + 0.05)


@pytest.mark.parametrize("shift_ms", [0, 20, 60, 200])
def test_a_delayed_copy_follows_by_its_delay(shift_ms: int) -> None:
    found = lead_lag(walk(0), walk(shift_ms))
    assert found.lead_ms == shift_ms
    assert found.correlation == pytest.approx(1.0)
    back = lead_lag(walk(shift_ms), walk(0))
    assert (back.lead_ms, back.correlation) == (-shift_ms, found.correlation)


def test_strangers_do_not_follow() -> None:
    assert abs(lead_lag(walk(0), walk(0, seed=6)).correlation) < 0.1


def test_too_little_in_common_is_refused() -> None:
    with pytest.raises(DataError, match=r"0.0 s in common are too few"):
        lead_lag(walk(0), walk(60_000))
    empty = Touches("bbo", np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    with pytest.raises(DataError, match="without quotes"):
        lead_lag(walk(0), empty)
    still = walk(0)
    with pytest.raises(DataError, match="does not move"):
        lead_lag(walk(0), Touches("bbo", still.ts_ns, np.ones(4_000), np.ones(4_000) + 1.0))


def touches(name: str) -> Touches:
    recording = load(DATA / "norm" / f"{name}.npz", 0, Venue.LEAD)
    return touches_of(recording.events, float(recording.instruments["tick_px"][0]))[0]


@needs_data
def test_futures_and_spot_lead_the_inverse_contract() -> None:
    usdm, spot = touches("binance_usdm_BTC_20240808"), touches("binance_spot_BTC_20240808+09")
    coinm = touches("binance_cm_BTC_20240808+09")
    found = [lead_lag(usdm, coinm), lead_lag(spot, coinm), lead_lag(usdm, spot)]
    assert [one.lead_ms for one in found] == [40, 20, 0]
    assert [round(one.correlation, 3) for one in found] == [0.355, 0.287, 0.419]
    assert lead_lag(coinm, usdm).lead_ms == -40
