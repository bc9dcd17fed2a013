"""Markouts: a hand-made path and its signs, exact moments, both starts, gaps, tails, lost fills."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe.enums import LabelKind
from mmpipe.features.markouts import FILL, FILL_ENDS, FILLS_MAX, HORIZONS_NS, LAST, append, finish, resolve
from mmpipe.features.mid_path import MID_PATH, on_mid
from mmpipe.records import LABEL, MARKOUT_HORIZONS_S, MARKOUTS

S = 1_000_000_000
MS = 1_000_000
HORIZONS = (1 * S, 5 * S)  # label, edge
FEE_BPS = 1.5


class Fills:
    """Fills of one symbol on a path of mids."""

    def __init__(self, path: list[tuple[int, float]], room: int = FILLS_MAX) -> None:
        self.ends, self.fills = np.zeros(1, FILL_ENDS), np.zeros(room, FILL)
        self.path = np.zeros(1, MID_PATH)
        for ts_ns, mid_px in path:
            on_mid(self.path[0], ts_ns, mid_px)

    def fill(
        self, ts_ns: int, side: int, px: float, decision_px: float, virtual: int = 1, seq: int = 1
    ) -> None:
        fill = self.fills[append(self.ends[0], self.fills) :][:1]
        fill["filled_ts_ns"], fill["decided_ts_ns"], fill["cause_seq"] = ts_ns, ts_ns - 2 * S, seq
        fill["side"], fill["virtual"], fill["mid_px"], fill["fee_bps"] = side, virtual, decision_px, FEE_BPS
        fill["depth_bps"] = side * (decision_px - px) / decision_px * 1e4
        fill["predicted_edge_bps"], fill["queue_rank"] = 0.25, 0.5

    def labels(self, ts_ns: int, seen: bool = True, room: int = 64) -> np.ndarray:
        labels = np.zeros(room, LABEL)
        labels["ahead_qty"] = 7.0  # rows are used again
        ends, path = self.ends[0], self.path[0]
        return labels[: resolve(ends, self.fills, path, seen, ts_ns, HORIZONS, 3, labels, 0)]

    def tail(self, ts_ns: int) -> np.ndarray:
        labels = np.zeros(64, LABEL)
        return labels[: finish(self.ends[0], self.fills, ts_ns, HORIZONS, 3, labels, 0)]


# Mid 100 when decided; 99.95 when the bid at 99.9 is filled; it goes on falling to 99.8 and comes back.
FALL = [(1 * S, 100.0), (9 * S, 99.95), (10 * S + 50 * MS, 99.85), (12 * S, 99.80), (40 * S, 100.05)]


def test_the_signs_on_a_hand_made_path() -> None:
    fills = Fills(FALL)
    fills.fill(10 * S, 1, 99.9, 100.0, seq=5)
    fills.fill(10 * S, -1, 100.1, 100.0, seq=6)
    labels = fills.labels(70 * S)
    bid, ask = labels[labels["kind"] == LabelKind.SHADOW_MARKOUTS]
    assert (bid["cause_seq"], ask["cause_seq"], bid["symbol"], bid["filled"]) == (5, 6, 3, 1)
    # The spread was 10 bps at the decision; until 5 s after the fill the mid lost 20 bps.
    assert bid["depth_bps"] == pytest.approx(10.0)
    assert bid["realized_as_bps"] == pytest.approx(20.0)
    assert bid["realized_edge_bps"] == pytest.approx(10.0 - 20.0 - FEE_BPS)
    assert ask["realized_edge_bps"] == pytest.approx(10.0 + 20.0 - FEE_BPS)
    # After the fill it lost from 99.95: 10 bps at 0.1 s, 15 at 3 s; at 30 s it is 10 above.
    after = np.array([99.85, 99.85, 99.85, 99.80, 99.80, 99.80, 100.05, 100.05])
    want = (after - 99.95) / 99.95 * 1e4
    assert bid["markouts_bps"] == pytest.approx(want, abs=1e-4)
    assert ask["markouts_bps"] == pytest.approx(-want, abs=1e-4)


def test_the_edge_is_the_money_a_fill_made_by_its_horizon() -> None:
    fills = Fills(FALL)
    fills.fill(10 * S, 1, 99.9, 100.0)
    label = fills.labels(70 * S)[-1]
    assert label["realized_edge_bps"] == pytest.approx((99.80 - 99.90) / 100.0 * 1e4 - FEE_BPS)
    assert (label["horizon_ns"], label["cause_ts_ns"], label["wait_ns"]) == (5 * S, 8 * S, 2 * S)


def test_one_label_at_the_label_horizon_and_one_at_the_end() -> None:
    fills = Fills(FALL)
    fills.fill(10 * S, 1, 99.9, 100.0)
    fills.fill(10 * S, -1, 100.0, 100.0, virtual=0, seq=77)
    assert len(fills.labels(11 * S - 1)) == 0
    early = fills.labels(11 * S)
    assert early["kind"].tolist() == [LabelKind.SHADOW_QUOTE, LabelKind.FILL_MARKOUT]
    assert early["move_bps"] == pytest.approx([-15.0, -15.0])
    assert (early["horizon_ns"] == S).all()
    assert not early["markouts_bps"].any()
    assert (early["ahead_qty"] == 0.0).all()
    assert len(fills.labels(70 * S - 1)) == 0
    late = fills.labels(70 * S)
    assert late["kind"].tolist() == [LabelKind.SHADOW_MARKOUTS, LabelKind.FILL_MARKOUTS]
    assert late["cause_seq"].tolist() == [1, 77]
    assert len(fills.labels(200 * S)) == 0


def test_what_nobody_could_see_is_nan() -> None:
    fills = Fills([(1 * S, 100.0), (10 * S + 300 * MS, 0.0), (10 * S + 700 * MS, 101.0)])
    fills.fill(10 * S, 1, 99.9, 100.0)
    label = fills.labels(70 * S)[-1]
    assert np.isnan(label["markouts_bps"]).tolist() == [False, True] + [False] * 6
    stale = Fills([(1 * S, 100.0)])
    stale.fill(10 * S, 1, 99.9, 100.0)
    stale.labels(14 * S)
    stale.labels(16 * S, seen=False)
    label = stale.labels(70 * S)[-1]
    assert np.isnan(label["markouts_bps"]).tolist() == [False] * 4 + [True] + [False] * 3
    assert np.isnan(label["realized_edge_bps"])
    assert label["horizon_ns"] == 0


def test_the_end_of_a_recording_gives_what_is_known() -> None:
    fills = Fills(FALL)
    fills.fill(10 * S, 1, 99.9, 100.0)
    fills.fill(14 * S, 1, 99.9, 100.0)
    fills.labels(16 * S)
    tail = fills.tail(16 * S)
    assert tail["kind"].tolist() == [LabelKind.SHADOW_MARKOUTS] * 2
    assert np.isnan(tail["markouts_bps"]).sum(axis=1).tolist() == [3, 5]
    assert np.isfinite(tail["realized_edge_bps"]).tolist() == [True, False]
    assert len(fills.tail(16 * S)) == 0
    assert len(fills.labels(100 * S)) == 0


def test_a_full_ring_loses_its_oldest_and_counts_it() -> None:
    fills = Fills(FALL, room=4)
    for number in range(6):
        fills.fill(10 * S + number, 1, 99.9, 100.0, seq=number)
    labels = fills.labels(70 * S + 6)
    assert fills.ends["lost"][0] == 2
    for kind in (LabelKind.SHADOW_QUOTE, LabelKind.SHADOW_MARKOUTS):
        assert labels["cause_seq"][labels["kind"] == kind].tolist() == [2, 3, 4, 5]


def test_a_fill_that_was_judged_is_not_judged_again_when_another_is_lost() -> None:
    fills = Fills(FALL, room=4)
    for number in range(4):
        fills.fill(10 * S + number, 1, 99.9, 100.0, seq=number)
    assert len(fills.labels(20 * S)) == 4
    fills.fill(20 * S, 1, 99.9, 100.0, seq=4)
    assert fills.labels(30 * S)["cause_seq"].tolist() == [4]
    assert fills.labels(90 * S)["cause_seq"].tolist() == [1, 2, 3, 4]


def test_quotes_seen_together_with_the_fill_are_part_of_what_came_after_it() -> None:
    fills = Fills([(1 * S, 100.0), (10 * S, 99.0)])
    fills.fill(10 * S, 1, 99.9, 100.0)
    label = fills.labels(70 * S)[-1]
    assert label["markouts_bps"] == pytest.approx([-100.0] * MARKOUTS)


def test_what_finds_no_room_waits_and_loses_nothing() -> None:
    fills, seen = Fills(FALL), []
    for number in range(5):
        fills.fill(10 * S + number, 1, 99.9, 100.0, seq=number)
    while len(part := fills.labels(80 * S, room=3)):
        seen += list(zip(part["kind"].tolist(), part["cause_seq"].tolist(), strict=True))
    kinds = (LabelKind.SHADOW_QUOTE, LabelKind.SHADOW_MARKOUTS)
    assert sorted(seen) == sorted((kind, number) for kind in kinds for number in range(5))


mids = st.lists(st.tuples(st.integers(1, 4_000), st.integers(9_900, 10_100)), min_size=1, max_size=60)


@given(mids, st.integers(0, 60_000), st.integers(9_900, 10_100), st.lists(st.integers(1, 30_000), max_size=9))
@settings(max_examples=100, deadline=None)
def test_markouts_are_those_of_the_path_whenever_asked_and_opposite_for_the_other_side(
    steps: list[tuple[int, int]], filled_ms: int, px: int, asked: list[int]
) -> None:
    now_ms, path = 0, [(0, 100.0)]
    for wait_ms, mid in steps:
        now_ms += wait_ms
        path.append((now_ms * MS, mid / 100.0))
    fills = Fills(path)
    filled_ns = filled_ms * MS + S
    fills.fill(filled_ns, 1, px / 100.0, 100.0)
    fills.fill(filled_ns, -1, px / 100.0, 100.0)
    out, ts_ns = [], filled_ns
    for wait_ms in (*asked, 100_000):
        ts_ns += wait_ms * MS
        out.append(fills.labels(ts_ns))
    labels = np.concatenate(out)
    bid, ask = labels[labels["kind"] == LabelKind.SHADOW_MARKOUTS]

    def mid_at(ts_ns: int) -> float:
        return [mid for at_ns, mid in path if at_ns <= ts_ns][-1]

    start = mid_at(filled_ns - 1)
    want = [(mid_at(filled_ns + int(h * S)) - start) / start * 1e4 for h in MARKOUT_HORIZONS_S]
    assert bid["markouts_bps"] == pytest.approx(want, abs=1e-3)
    assert (ask["markouts_bps"] == -bid["markouts_bps"]).all()
    assert bid["realized_edge_bps"] + FEE_BPS == pytest.approx(-(ask["realized_edge_bps"] + FEE_BPS))


def test_spread_captured_and_adverse_selection_are_two_measurements() -> None:
    rng = np.random.default_rng(5)
    path = [(0, 100.0)]
    for step in range(1, 2_000):
        path.append((step * 100 * MS, path[-1][1] + 0.01 * rng.normal()))
    fills = Fills(path)
    for step in range(100, 1_300):
        mid_px = path[step - 20][1]
        fills.fill(step * 100 * MS, 1, mid_px - 0.01 * rng.integers(1, 5), mid_px)
    labels = fills.labels(200 * S, room=4_096)
    labels = labels[labels["kind"] == LabelKind.SHADOW_MARKOUTS]
    spread, adverse, edge = (labels[name] for name in ("depth_bps", "realized_as_bps", "realized_edge_bps"))
    assert edge == pytest.approx(spread - adverse - FEE_BPS)
    assert abs(np.corrcoef(spread, adverse)[0, 1]) < 0.2
    assert edge.std() > 0.1


def test_horizons_are_those_of_the_record() -> None:
    assert tuple(int(horizon_s * S) for horizon_s in MARKOUT_HORIZONS_S) == HORIZONS_NS
    assert LAST == MARKOUTS - 1
