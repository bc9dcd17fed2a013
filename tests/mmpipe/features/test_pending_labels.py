"""Snapshots that wait for their mid: exact horizon, no label where nothing was seen, oldest lost first."""

import numpy as np
import pytest

from mmpipe.enums import LabelKind
from mmpipe.features.mid_path import MID_PATH, on_mid
from mmpipe.features.pending_labels import PENDING, PENDING_MAX, QUEUE_ENDS, expect, resolve
from mmpipe.records import LABEL, SNAPSHOT

S = 1_000_000_000


class Waiting:
    """Snapshots of one symbol that wait."""

    def __init__(self, path: list[tuple[int, float]]) -> None:
        self.ends, self.pending = np.zeros(1, QUEUE_ENDS), np.zeros(PENDING_MAX, PENDING)
        self.path = np.zeros(1, MID_PATH)
        for ts_ns, mid_px in path:
            on_mid(self.path[0], ts_ns, mid_px)

    def expect(self, ts_ns: int, mid_px: float, seq: int) -> None:
        row = np.zeros(1, SNAPSHOT)
        row["ts_ns"], row["mid_px"], row["toxicity"], row["regime"] = ts_ns, mid_px, 1, 2
        expect(self.ends[0], self.pending, row[0], seq)

    def labels(self, ts_ns: int, seen: bool = True, room: int = 2_048) -> np.ndarray:
        labels = np.zeros(room, LABEL)
        labels["filled"] = 1
        ends, path = self.ends[0], self.path[0]
        return labels[: resolve(ends, self.pending, path, seen, ts_ns, S, 3, labels, 0)]


def test_the_mid_is_that_of_the_horizon_and_not_of_the_moment_after_it() -> None:
    waiting = Waiting([(S, 100.0), (2 * S, 101.0), (2 * S + 1, 150.0)])
    waiting.expect(S, 100.0, 9)
    assert len(waiting.labels(2 * S - 1)) == 0
    (label,) = waiting.labels(2 * S + 5)
    assert label["move_bps"] == pytest.approx(100.0)
    assert (label["kind"], label["cause_seq"], label["cause_ts_ns"]) == (LabelKind.MID_MOVE, 9, S)
    assert (label["horizon_ns"], label["ts_ns"], label["symbol"]) == (S, 2 * S + 5, 3)
    assert (label["toxicity"], label["regime"], label["filled"], label["mid_px"]) == (1, 2, 0, 100.0)


@pytest.mark.parametrize("seen", [True, False])
def test_where_nobody_could_see_the_mid_there_is_no_label(seen: bool) -> None:
    waiting = Waiting([(S, 100.0), (3 * S, 0.0 if seen else 101.0)])
    waiting.expect(2 * S, 100.0, 9)
    assert len(waiting.labels(3 * S, seen)) == 0
    assert len(waiting.labels(9 * S)) == 0


def test_a_full_ring_loses_its_oldest_and_no_room_loses_nothing() -> None:
    waiting = Waiting([(S, 100.0)])
    for number in range(PENDING_MAX + 3):
        waiting.expect(S + number, 100.0, number)
    first = waiting.labels(9 * S, room=10)
    assert first["cause_seq"].tolist() == list(range(3, 13))
    assert waiting.labels(9 * S)["cause_seq"][-1] == PENDING_MAX + 2
