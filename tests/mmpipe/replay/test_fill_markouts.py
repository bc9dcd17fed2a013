"""What fills earned five seconds on, by hand."""

import numpy as np
import pytest

from mmpipe.clock import NS_PER_S
from mmpipe.records import ANSWER, INSTRUMENT, SNAPSHOT
from mmpipe.replay.fill_markouts import MID, MidTape, adverse_share, markouts_bps
from mmpipe.units import CASH_PER_TICK_LOT


def fills(*rows: tuple[float, int, int]) -> np.ndarray:
    """(s, side, tick) of one lot each, 1 bp paid."""
    out = np.zeros(len(rows), ANSWER)
    out["exch_ts_ns"] = [int(s * NS_PER_S) for s, _, _ in rows]
    out["side"], out["px_tick"] = [side for _, side, _ in rows], [tick for _, _, tick in rows]
    out["qty_lots"] = 10
    out["fee_cash"] = out["px_tick"] * 10 * CASH_PER_TICK_LOT // 10_000
    return out


def test_a_fill_earns_what_the_mid_says_five_seconds_on_less_its_fee() -> None:
    instruments = np.zeros(1, INSTRUMENT)
    instruments["tick_px"] = 0.01
    mids = np.zeros(4, MID)
    mids["ts_ns"] = np.array([0, 6, 9, 12]) * NS_PER_S
    mids["mid_px"] = [100.0, 100.5, 0.0, 99.0]
    rows = fills((1.0, 1, 10_000), (2.0, -1, 10_000), (4.0, 1, 10_000), (7.0, -1, 10_000), (8.0, 1, 10_000))
    # At 6 and 7 s the mid is 100.5; at 9 s there is no book; at 12 s it is 99; 13 s is past the end.
    edges = markouts_bps(rows, mids, instruments)
    np.testing.assert_allclose(edges, [49.0, -51.0, np.nan, 99.0, np.nan], rtol=1e-12)
    assert adverse_share(edges) == pytest.approx(1 / 3)
    assert adverse_share(edges[2:3]) is None


def test_other_symbols_do_not_matter() -> None:
    instruments = np.zeros(2, INSTRUMENT)
    instruments["tick_px"] = 0.01
    mids = np.zeros(2, MID)
    mids["ts_ns"], mids["mid_px"] = [0, 20 * NS_PER_S], 100.0
    mids["symbol"] = 1
    assert np.isnan(markouts_bps(fills((1.0, 1, 10_000)), mids, instruments)).all()


def test_the_tape_keeps_what_passes_and_asks_for_no_work() -> None:
    rows = np.zeros(2, SNAPSHOT)
    rows["ts_ns"], rows["symbol"], rows["mid_px"] = [5, 6], [0, 1], [100.0, 0.0]
    parts = iter([(rows, 0), (rows[:0], 0), (rows[:1], 0)])
    tape = MidTape(lambda _: next(parts))
    assert [tape.poll() for _ in range(3)] == [0, 0, 0]
    assert tape.mids().tolist() == [(5, 0, 100.0), (6, 1, 0.0), (5, 0, 100.0)]
    lost = MidTape(lambda _: (rows, 3))
    with pytest.raises(AssertionError, match="3 snapshots passed unseen"):
        lost.poll()
